import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { executorCompliance, HELLO, NOISY_LINES } from '@nunet/dms/testing'
import { createEchoExecutor } from './echo-executor.js'

const lines = (word) => Array.from({ length: NOISY_LINES }, (_, index) => `${word} ${index + 1}\n`).join('')

const SPECS = {
  hello: { text: HELLO },
  exit3: { text: '', code: 3 },
  sleep: { text: '', seconds: -1 },
  noisy: { text: lines('out'), error: lines('err') }
}

executorCompliance({
  test: (name, work) => test(name, work),
  async create() {
    const directory = await mkdtemp(join(tmpdir(), 'echo-'))
    let count = 0
    const workload = (spec) => ({
      id: `echo-${count++}`,
      spec,
      limits: { cpuCores: 1, memory: 2 ** 24, disk: 2 ** 20, pids: 10 },
      directory,
      allowPrivileged: false,
      ports: []
    })
    const open = () => createEchoExecutor({ directory: join(directory, 'runs') })
    return {
      executor: open(),
      workload: async (kind) => workload(SPECS[kind]),
      invalid: async () => ({ workload: workload({ text: 1 }), field: 'text' }),
      reopen: open,
      dispose: () => rm(directory, { recursive: true, force: true })
    }
  }
})
