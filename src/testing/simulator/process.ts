import { setMaxListeners } from 'node:events'
import { CancelledError, type Clock, millis } from '../../base/index.ts'
import type { ScheduledEvent } from './event-queue.ts'
import type { World } from './world.ts'

/**
 * One life of a node: everything that its program gets from the world goes through here.
 *
 * Killed, it gets nothing any more: its timers do not fire, its calls do not return, and what it still does changes nothing. The
 * code of the node does not notice, as a program does not notice `kill -9`.
 */
export interface SimulatedProcess {
  readonly isAlive: boolean
  kill(): void
  /** Runs work of the world for the process; settles never when the process is dead before or afterwards. */
  guard<T>(work: () => Promise<T>): Promise<T>
  /** Has something happen later, if the process lives then. */
  after(delay: number, run: () => void): ScheduledEvent
}

/** Creates a process that lives. */
export function createProcess(world: World): SimulatedProcess {
  let isAlive = true
  return {
    get isAlive() {
      return isAlive
    },
    kill() {
      isAlive = false
    },
    guard: (work) =>
      new Promise((resolve, reject) => {
        if (!isAlive) return
        work().then(
          (value) => {
            if (isAlive) resolve(value)
          },
          (error: unknown) => {
            if (isAlive) reject(error instanceof Error ? error : new Error(String(error)))
          }
        )
      }),
    after: (delay, run) =>
      world.after(delay, () => {
        if (isAlive) run()
      })
  }
}

/** The wrong clock of one machine. */
export interface MachineTime {
  /** Milliseconds that it is ahead now, or behind. */
  offset: number
  /** How much faster it runs than the world: 0.0001 gains 8.6 s a day. */
  drift: number
  /** When the offset was set. */
  setAt: number
}

/** What a machine's clock shows. */
export function machineNow(world: World, { offset, drift, setAt }: MachineTime): number {
  return Math.floor(world.now() + offset + (world.now() - setAt) * drift)
}

/** The clock that a process sees: that of its machine, for as long as it lives. */
export function createProcessClock(world: World, process: SimulatedProcess, time: MachineTime): Clock {
  return {
    now: () => millis(machineNow(world, time)),
    sleep: (duration, { signal } = {}) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(new CancelledError('sleep was cancelled'))
          return
        }
        const onAbort = (): void => {
          world.cancel(timer)
          reject(new CancelledError('sleep was cancelled'))
        }
        const timer = process.after(Math.ceil(Math.max(0, duration) / (1 + time.drift)), () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        })
        if (signal === undefined) return
        setMaxListeners(0, signal)
        signal.addEventListener('abort', onAbort, { once: true })
      })
  }
}
