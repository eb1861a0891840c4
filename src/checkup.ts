import { join } from 'node:path'
import { silentLogger, systemClock } from './base/index.ts'
import { type CheckReport, createLocalSystem, examine, type Subject } from './doctor/index.ts'
import { defaultDockerSocket, describeDocker } from './executor/docker/index.ts'
import { createWasmExecutor } from './executor/wasm/index.ts'
import { createHardwareProbe, type Machine } from './hardware/index.ts'

/** What a checkup is told by its caller; the rest is this machine. */
export type CheckupOptions = Pick<Subject, 'config' | 'contextName' | 'home' | 'environment' | 'needsGpu' | 'clock'>

/**
 * Examines this machine: the second composition root, beside `daemon.ts`, which joins the checks with the hardware and the
 * executors that they ask. Loads no network; changes nothing.
 */
export async function checkMachine(options: CheckupOptions): Promise<readonly CheckReport[]> {
  const { environment, clock, home } = options
  return await examine({
    ...options,
    system: createLocalSystem(),
    machine: readMachine,
    executors: {
      dockerSocket: () => defaultDockerSocket(environment),
      docker: () => describeDocker(() => defaultDockerSocket(environment), clock),
      // only asked whether it works: it never makes this directory
      wasm: () => createWasmExecutor({ directory: join(home, '.nunet', 'wasm'), clock, log: silentLogger }).probe()
    }
  })
}

/** What this machine has, with the disk that holds a path. */
export async function readMachine(diskPath: string): Promise<Machine> {
  return await createHardwareProbe({ diskPath, clock: systemClock }).capacity()
}
