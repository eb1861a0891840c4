import { errorMessage, type Millis, millis, minutes, seconds } from '../base/index.ts'
import {
  type ExecResult,
  type Executor,
  ExecutorFailedError,
  type ExecutorFeatures,
  type ExitStatus,
  type LogChunk,
  type Probe,
  type RunHandle,
  type WorkloadUsage
} from '../executor/index.ts'
import type { PluginCall, PluginLink } from './link.ts'

/** A plugin whose thread may end and be begun anew. */
export interface PluginSource {
  readonly name: string
  /** @throws PluginFailedError with the reason when it does not run. */
  link(): PluginLink
  /** Begins it anew when it does not run and the last try was a while ago. */
  revive(): Promise<void>
}

const PROBE_LIMIT = seconds(4)
const QUESTION_LIMIT = seconds(30)
const REMOVE_LIMIT = minutes(5)
/** More than the grace of a stop. */
const STOP_MARGIN = minutes(1)

const NO_FEATURES: ExecutorFeatures = {
  ports: false,
  mounts: false,
  files: false,
  scripts: false,
  gpus: false,
  exec: false
}

/**
 * An executor that runs in the thread of a plugin.
 *
 * Nothing that the plugin does reaches further than the call: what it answers is checked for its form, calls that it does not
 * answer end, and while it does not run, its probe says why and everything else is refused.
 */
export function createExecutorProxy(kind: string, source: PluginSource): Executor {
  const call = async <T>(rest: Omit<PluginCall, 'kind'>, read: (value: unknown) => T | undefined): Promise<T> => {
    const read1 = read(await source.link().call({ kind, ...rest }))
    if (read1 !== undefined) return read1
    throw new ExecutorFailedError(`plugin ${source.name}: what ${rest.method} gave is not what the interface says`)
  }
  const none = (): true => true

  return {
    kind,
    get features() {
      try {
        return source.link().features.get(kind) ?? NO_FEATURES
      } catch {
        return NO_FEATURES // it does not run: its probe says why
      }
    },
    async probe({ signal } = {}) {
      try {
        await source.revive()
        return await call({ method: 'probe', args: [], options: {}, limit: PROBE_LIMIT, ...(signal && { signal }) }, readProbe)
      } catch (error) {
        return { available: false, reason: errorMessage(error) }
      }
    },
    async check(workload) {
      await call({ method: 'check', args: [workload], limit: QUESTION_LIMIT }, none)
    },
    start: (workload, { signal, onProgress } = {}) =>
      call(
        { method: 'start', args: [workload], options: {}, ...(signal && { signal }), ...(onProgress && { onProgress }) },
        readHandle
      ),
    recover: (handle) => call({ method: 'recover', args: [handle], limit: QUESTION_LIMIT }, readBoolean),
    wait: (handle, { signal } = {}) => call({ method: 'wait', args: [handle], options: {}, ...(signal && { signal }) }, readExit),
    async stop(handle, grace) {
      await call({ method: 'stop', args: [handle, grace], limit: withMargin(grace) }, none)
    },
    async remove(handle) {
      await call({ method: 'remove', args: [handle], limit: REMOVE_LIMIT }, none)
    },
    async *logs(handle, { follow = false, signal } = {}) {
      const pieces = source
        .link()
        .iterate({ kind, method: 'logs', args: [handle], options: { follow }, ...(signal && { signal }) })
      for await (const piece of pieces) yield readChunk(piece, source.name)
    },
    usage: (handle) => call({ method: 'usage', args: [handle], limit: QUESTION_LIMIT }, readUsage),
    exec: (handle, command, { maxOutput, signal }) =>
      call({ method: 'exec', args: [handle, command], options: { maxOutput }, ...(signal && { signal }) }, readExec),
    list: () => call({ method: 'list', args: [], limit: QUESTION_LIMIT }, readList)
  }
}

function withMargin(grace: Millis): Millis {
  return millis(grace + STOP_MARGIN)
}

type Members = Readonly<Record<string, unknown>>

const membersOf = (value: unknown): Members => (typeof value === 'object' && value !== null ? (value as Members) : {})

function readBoolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined
}

function readHandle(value: unknown): RunHandle | undefined {
  return typeof value === 'string' && value.length > 0 && value.length <= 4096 ? (value as RunHandle) : undefined
}

function readProbe(value: unknown): Probe | undefined {
  const { available, version, reason } = membersOf(value)
  if (available === true) return { available, version: typeof version === 'string' ? version.slice(0, 200) : '' }
  return available === false
    ? { available, reason: typeof reason === 'string' ? reason.slice(0, 1000) : 'it says not why' }
    : undefined
}

function readExit(value: unknown): ExitStatus | undefined {
  const { type, code, signal, outOfMemory, reason } = membersOf(value)
  if (type === 'exited' && typeof code === 'number' && Number.isInteger(code)) return { type, code }
  if (type === 'killed' && typeof signal === 'string') {
    return { type, signal: signal.slice(0, 32), outOfMemory: outOfMemory === true }
  }
  return type === 'lost' && typeof reason === 'string' ? { type, reason: reason.slice(0, 1000) } : undefined
}

function readChunk(value: unknown, plugin: string): LogChunk {
  const { stream, data } = membersOf(value)
  if ((stream === 'stdout' || stream === 'stderr') && data instanceof Uint8Array) return { stream, data }
  throw new ExecutorFailedError(`plugin ${plugin}: what logs gave is not what the interface says`)
}

function readUsage(value: unknown): WorkloadUsage | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const numbers = Object.entries(value).filter(
    ([name, amount]) =>
      ['cpuPercent', 'memory', 'pids', 'disk'].includes(name) &&
      typeof amount === 'number' &&
      Number.isFinite(amount) &&
      amount >= 0
  )
  return Object.fromEntries(numbers)
}

function readExec(value: unknown): ExecResult | undefined {
  const { code, output, isCut } = membersOf(value)
  return typeof code === 'number' && output instanceof Uint8Array ? { code, output, isCut: isCut === true } : undefined
}

function readList(value: unknown): { readonly id: string; readonly handle: RunHandle }[] | undefined {
  if (!Array.isArray(value)) return undefined
  const items = value.map((item) => {
    const { id, handle } = membersOf(item)
    const read = readHandle(handle)
    return typeof id === 'string' && read !== undefined ? [{ id, handle: read }] : []
  })
  return items.every((item) => item.length === 1) ? items.flat() : undefined
}
