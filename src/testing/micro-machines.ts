import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gibibytes, type JsonValue, mebibytes, silentLogger, systemClock } from '../base/index.ts'
import type { Executor, Workload } from '../executor/index.ts'
import { createMicrovmExecutor, type RootImages } from '../executor/microvm/index.ts'

/** What `make testdata` prepares. */
export const MACHINE_GUEST = fileURLToPath(new URL('../../.cache/microvm', import.meta.url))
/** Emulated machines on a busy host take their time. */
export const MACHINE_PATIENCE = { timeout: 120_000 }

/** A provider of micro machines below a directory, and jobs for it. */
export interface MachineProvider {
  /** Another executor over the same machine at each call. */
  open(images?: RootImages): Executor
  workload(spec: JsonValue, limits?: Partial<Workload['limits']>): Promise<Workload>
}

/** Machines are emulated, as a test's host may lack what others have. */
export function createMachineProvider(root: string): MachineProvider {
  let count = 0
  return {
    open: (images) =>
      createMicrovmExecutor({
        directory: join(root, 'records'),
        guestDirectory: MACHINE_GUEST,
        imagesDirectory: join(root, 'images'),
        acceleration: 'tcg',
        clock: systemClock,
        log: silentLogger,
        ...(images && { images })
      }),
    async workload(spec, limits = {}) {
      count += 1
      const directory = join(root, `job${count}`)
      await mkdir(directory, { mode: 0o700 })
      return {
        id: `ensemble_node.alloc${count}`,
        spec,
        limits: { cpuCores: 1, memory: mebibytes(128), disk: gibibytes(1), pids: 16, ...limits },
        directory,
        allowPrivileged: false,
        ports: []
      }
    }
  }
}

/** A job that runs a script of busybox’s shell. */
export function machineScript(script: string): { readonly [name: string]: JsonValue } {
  return { type: 'microvm', command: ['sh', '-c', script] }
}
