import type { RunHandle } from './executor.ts'

/** The handle of the workload that the driver `kind` knows as `id`. */
export function toHandle(kind: string, id: string): RunHandle {
  return `${kind}:${id}` as RunHandle
}

/** What the driver `kind` knows the workload as; `undefined` for a handle of another driver. */
export function idOfHandle(kind: string, handle: RunHandle): string | undefined {
  return handle.startsWith(`${kind}:`) ? handle.slice(kind.length + 1) : undefined
}
