import { type ChildProcess, spawn } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { summarize } from './support/compare.ts'
import { isBuilt } from './support/dms.ts'
import { createMachine } from './support/machine.ts'
import { cleanEnvironment, stopProcess } from './support/processes.ts'
import type { Scratch } from './support/scratch.ts'

/** Processes of each kind, side by side. */
const COPIES = 5
/** By then start-up garbage is collected, or it stays. */
const IDLE_MS = 20_000

/** What an idle daemon takes, to what Node takes for doing nothing. */
export const memory: Benchmark = {
  name: 'memory',
  title: `Resident memory of an idle daemon to that of an idle Node, ${IDLE_MS / 1000} s after the start`,
  unit: 'MiB',
  async available() {
    const built = await isBuilt()
    if (built !== true) return built
    return access('/proc/self/status').then(
      () => true as const,
      () => 'this system has no /proc to read memory from' // macOS, for one
    )
  },
  async run(scratch: Scratch): Promise<Outcome> {
    const idle = Array.from({ length: COPIES }, () => startIdle(scratch))
    const daemons: ChildProcess[] = []
    for (let copy = 0; copy < COPIES; copy += 1) {
      const machine = await createMachine(scratch, `machine-${copy}`)
      daemons.push(await machine.start())
    }
    await pause(IDLE_MS)
    const measured = {
      yardstick: { name: 'node -e with a timer', values: await Promise.all(idle.map(residentMiB)) },
      subjects: [{ name: 'nunet run, no peers, nothing deployed', values: await Promise.all(daemons.map(residentMiB)) }]
    }
    return {
      ...summarize(measured),
      notes: [`VmRSS of ${COPIES} processes of each kind at the same time; shared pages count in each`]
    }
  }
}

function startIdle(scratch: Scratch): ChildProcess {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 600_000)'], { env: cleanEnvironment(), stdio: 'ignore' })
  scratch.defer(() => stopProcess(child))
  return child
}

async function residentMiB({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  if (kibibytes === undefined) throw new Error(`the process ${pid} says nothing of its memory`)
  return Number(kibibytes) / 1024
}
