import { access } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, type Subject, timed } from './support/compare.ts'
import { isBuilt, PROGRAM } from './support/dms.ts'
import { createMachine, type Machine, type Program } from './support/machine.ts'
import { stopProcess } from './support/processes.ts'
import type { Scratch } from './support/scratch.ts'

const ROUNDS = 7
const COMPILED = fileURLToPath(new URL('../dist/bin.js', import.meta.url))
const EXECUTABLE = fileURLToPath(new URL(`../builds/dms_linux_${process.arch === 'arm64' ? 'arm64' : 'amd64'}`, import.meta.url))

/** How long a daemon takes from its start until it serves, in each form of the program. */
export const startUp: Benchmark = {
  name: 'start-up',
  title: 'Start of a daemon until it serves, to the same from one file per module',
  unit: 'ms',
  available: isBuilt,
  async run(scratch: Scratch): Promise<Outcome> {
    const machine = await createMachine(scratch, 'machine')
    const hasExecutable = await access(EXECUTABLE).then(
      () => true,
      () => false
    )
    const subjects = [
      starting('the bundle', machine, [process.execPath, PROGRAM]),
      ...(hasExecutable ? [starting('the single executable', machine, [EXECUTABLE])] : [])
    ]
    const comparison = await compare(starting('compiled modules', machine, [process.execPath, COMPILED]), subjects, ROUNDS)
    return { ...comparison, notes: hasExecutable ? [] : ['the single executable is not built; run make'] }
  }
}

function starting(name: string, machine: Machine, program: Program): Subject {
  return {
    name,
    async measure() {
      let stop = async (): Promise<void> => undefined
      const time = await timed(1, async () => {
        const daemon = await machine.start(program)
        stop = () => stopProcess(daemon)
      })
      await stop()
      return time
    }
  }
}
