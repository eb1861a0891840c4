import type { AbortOptions } from './clock.ts'

/** A part with a life: constructors do no I/O, `start` acquires, `stop` gives back and is idempotent. */
export interface Service {
  readonly name: string
  /** Acquires what the part needs; when it rejects, it has released what it took. */
  start(options?: AbortOptions): Promise<void>
  stop(): Promise<void>
}

/** Starts parts in order and stops those that were started in reverse order, also after a failed start. */
export function createServiceGroup(name: string, services: readonly Service[]): Service {
  let started: Service[] = []
  async function stop(): Promise<void> {
    const toStop = started.reverse()
    started = []
    const failures: unknown[] = []
    for (const service of toStop) await service.stop().catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw new AggregateError(failures, `${name}: some parts did not stop cleanly`)
  }
  return {
    name,
    async start(options) {
      for (const service of services) {
        try {
          await service.start(options)
          started.push(service)
        } catch (error) {
          await stop().catch(() => undefined) // the first failure is the one to report
          throw error
        }
      }
    },
    stop
  }
}
