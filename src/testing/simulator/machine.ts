import { type AbortOptions, bytes, type Clock, gibibytes, millis } from '../../base/index.ts'
import { type Executor, ExecutorUnavailableError, type RunHandle, type Workload } from '../../executor/index.ts'
import { createNullExecutor, createNullMachine, type NullMachine } from '../../executor/null/index.ts'
import type { HardwareProbe, Machine } from '../../hardware/index.ts'
import type { SimulatedProcess } from './process.ts'
import type { World } from './world.ts'

/** The machine of every simulated node: 8 cores, 16 GiB RAM, 200 GiB disk, two graphics cards of 24 and 16 GiB. */
export const SIMULATED_MACHINE: Machine = {
  cpu: {
    cores: 8,
    clockHz: 2_400_000_000,
    model: 'simulated',
    vendor: 'simulated',
    threads: 8,
    architecture: 'x86_64',
    cacheBytes: 0
  },
  memory: gibibytes(16),
  disk: { path: '/', total: gibibytes(200) },
  gpus: [
    {
      index: 0,
      vendor: 'NVIDIA',
      model: 'NVIDIA GeForce RTX 3090',
      uuid: 'GPU-5b1f2c1e-0000-4000-8000-000000000001',
      pciAddress: '0000:01:00.0',
      vram: gibibytes(24),
      devices: ['/dev/nvidia0']
    },
    {
      index: 1,
      vendor: 'AMD/ATI',
      model: 'AMD Radeon RX 6800',
      uuid: '',
      pciAddress: '0000:02:00.0',
      vram: gibibytes(16),
      devices: ['/dev/dri/renderD128']
    }
  ]
}

/** A probe of {@link SIMULATED_MACHINE}. */
export const simulatedHardware: HardwareProbe = {
  capacity: () => Promise.resolve(SIMULATED_MACHINE),
  usage: () => Promise.resolve({ cpuCores: 0, memory: bytes(0), disk: bytes(0), gpus: [] })
}

/** What runs on one machine: it outlives processes of the node, and ends with a restart of the machine. */
export interface WorkloadHost {
  machine: NullMachine
  /** Whether the executor cannot be reached. */
  isAway: boolean
  /** Longest time that a start takes, in milliseconds. */
  slowness: number
  /** Share of starts that fail. */
  failures: number
}

/** A machine on which nothing runs. */
export function createWorkloadHost(): WorkloadHost {
  return { machine: createNullMachine(), isAway: false, slowness: 0, failures: 0 }
}

/** Sees what an executor is made to do, before it does it. */
export interface ExecutorObserver {
  /** `isNew`: no workload of this id is there yet. */
  starting(id: string, isNew: boolean): void
  stopping(handle: RunHandle): void
  removing(handle: RunHandle): void
}

/** The null executor of one machine for one process: nothing happens for a process that is dead. */
export function mountExecutor(world: World, host: WorkloadHost, process: SimulatedProcess, observer: ExecutorObserver): Executor {
  // Workloads run by the world's time, whatever the clock of their machine shows, and whether the node lives or not.
  const clock: Clock = {
    now: () => millis(world.now()),
    sleep: (duration, { signal } = {}) =>
      new Promise((resolve) => {
        const timer = world.after(duration, resolve)
        signal?.addEventListener('abort', () => world.cancel(timer), { once: true })
      })
  }
  const { chance } = world
  let machine = host.machine
  let driver = createNullExecutor({ clock, machine })

  /** The driver of the machine as it is now: a restart of the machine leaves nothing of the one before. */
  function current(): Executor {
    if (host.isAway) throw new ExecutorUnavailableError('the executor does not answer')
    if (machine !== host.machine) {
      machine = host.machine
      driver = createNullExecutor({ clock, machine })
    }
    return driver
  }

  async function start(workload: Workload, options: AbortOptions | undefined): Promise<RunHandle> {
    if (host.slowness > 0) await world.sleep(chance.between(1, host.slowness))
    if (!process.isAlive) return new Promise(() => undefined)
    if (host.failures > 0 && chance.happens(host.failures)) throw new ExecutorUnavailableError('the start of the workload failed')
    const executor = current()
    observer.starting(workload.id, ![...host.machine.runs.values()].some(({ id }) => id === workload.id))
    return executor.start(workload, options)
  }

  return {
    kind: 'null',
    features: driver.features,
    probe: (options) => process.guard(async () => current().probe(options)),
    check: (workload) => driver.check(workload),
    start: (workload, options) => process.guard(() => start(workload, options)),
    recover: (handle) => process.guard(async () => current().recover(handle)),
    wait: (handle, options) => process.guard(async () => current().wait(handle, options)),
    stop: (handle, grace) =>
      process.guard(async () => {
        const executor = current()
        observer.stopping(handle)
        await executor.stop(handle, grace)
      }),
    remove: (handle) =>
      process.guard(async () => {
        const executor = current()
        observer.removing(handle)
        await executor.remove(handle)
      }),
    logs: (handle, options) => current().logs(handle, options),
    usage: (handle) => process.guard(async () => current().usage(handle)),
    exec: (handle, command, options) => process.guard(async () => current().exec(handle, command, options)),
    list: () => process.guard(async () => current().list())
  }
}
