import { test } from 'vitest'
import { bytes, systemClock } from '../../base/index.ts'
import { executorCompliance, HELLO, NOISY_LINES, type WorkloadKind } from '../../testing/index.ts'
import type { Workload } from '../index.ts'
import { createNullExecutor, createNullMachine } from './index.ts'

const lines = (word: string): string => Array.from({ length: NOISY_LINES }, (_, index) => `${word} ${index + 1}\n`).join('')

const SPECS: Readonly<Record<WorkloadKind, Workload['spec']>> = {
  hello: { stdout: HELLO },
  exit3: { exit_code: 3, duration_ms: 5 },
  sleep: { type: 'null', forever: true },
  noisy: { stdout: lines('out'), stderr: lines('err') }
}

executorCompliance({
  test,
  async create() {
    const machine = createNullMachine()
    const open = () => createNullExecutor({ clock: systemClock, machine })
    let count = 0
    function workload(spec: Workload['spec']): Workload {
      count += 1
      return {
        id: `ensemble_node.alloc${count}`,
        spec,
        limits: { cpuCores: 1, memory: bytes(1), disk: bytes(1), pids: 1 },
        directory: '/nowhere',
        allowPrivileged: false,
        ports: []
      }
    }
    return {
      executor: open(),
      workload: async (kind) => workload(SPECS[kind]),
      invalid: async () => ({ workload: workload({ exit_code: -1 }), field: 'exit_code' }),
      reopen: open,
      dispose: async () => undefined
    }
  }
})
