import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { createMachineProvider, executorCompliance, MACHINE_PATIENCE, machineScript, requirement } from '../../testing/index.ts'

const needs = await requirement('microvm', () => createMachineProvider('/nowhere').open().probe())

const PROGRAMS = {
  hello: machineScript('echo hello'),
  exit3: machineScript('exit 3'),
  sleep: machineScript('sleep 600'),
  noisy: machineScript('i=1; while [ $i -le 500 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done')
}

describe.skipIf(!needs.available)(needs.title('the microvm executor as any executor'), MACHINE_PATIENCE, () => {
  executorCompliance({
    test: (name, work) => test(name, MACHINE_PATIENCE, work),
    create: async () => {
      const root = await mkdtemp(join(tmpdir(), 'dms-microvm-'))
      const provider = createMachineProvider(root)
      return {
        executor: provider.open(),
        workload: (kind) => provider.workload(PROGRAMS[kind]),
        shell: (script) => provider.workload(machineScript(script)),
        invalid: async () => ({ workload: await provider.workload({ command: 'echo' }), field: 'command' }),
        reopen: () => provider.open(),
        dispose: () => rm(root, { recursive: true, force: true })
      }
    }
  })
})
