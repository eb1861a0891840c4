import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, test } from 'vitest'
import { gibibytes, type JsonValue, mebibytes, silentLogger, systemClock } from '../../base/index.ts'
import { executorCompliance, requirement } from '../../testing/index.ts'
import type { Workload } from '../index.ts'
import { createMicrovmExecutor } from './index.ts'

const GUEST = fileURLToPath(new URL('../../../.cache/microvm', import.meta.url))
/** Machines here have no processor of their own. */
const PATIENCE = { timeout: 120_000 }

function createProvider(root: string) {
  let count = 0
  return {
    open: (guestDirectory = GUEST) =>
      createMicrovmExecutor({
        kind: 'microvm',
        directory: join(root, 'records'),
        guestDirectory,
        imagesDirectory: join(root, 'images'),
        acceleration: 'tcg',
        clock: systemClock,
        log: silentLogger
      }),
    async workload(spec: JsonValue, limits: Partial<Workload['limits']> = {}): Promise<Workload> {
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

async function temporary(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'dms-microvm-'))
}

const needs = await requirement('microvm', () => createProvider('/nowhere').open().probe())

const shell = (script: string): JsonValue => ({ type: 'microvm', command: ['sh', '-c', script] })
const PROGRAMS = {
  hello: shell('echo hello'),
  exit3: shell('exit 3'),
  sleep: shell('sleep 600'),
  noisy: shell('i=1; while [ $i -le 500 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done')
}

describe.skipIf(!needs.available)(needs.title('the microvm executor as any executor'), PATIENCE, () => {
  executorCompliance({
    test: (name, work) => test(name, PATIENCE, work),
    create: async () => {
      const root = await temporary()
      const provider = createProvider(root)
      return {
        executor: provider.open(),
        workload: (kind) => provider.workload(PROGRAMS[kind]),
        shell: (script) => provider.workload(shell(script)),
        invalid: async () => ({ workload: await provider.workload({ command: 'echo' }), field: 'command' }),
        reopen: () => provider.open(),
        dispose: () => rm(root, { recursive: true, force: true })
      }
    }
  })
})
