import { access } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { bareNode, subjectsOf, unlock } from './command-line.ts'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare } from './support/compare.ts'
import { createMachine } from './support/machine.ts'
import type { Scratch } from './support/scratch.ts'

const ROUNDS = 15
const PROGRAM = fileURLToPath(new URL(`../builds/dms_linux_${process.arch === 'arm64' ? 'arm64' : 'amd64'}`, import.meta.url))
/** The Node inside of it, as the build fetched it. */
const NODE = fileURLToPath(new URL(`../.cache/node/node-linux-${process.arch}-24.21.0/bin/node`, import.meta.url))

/** The same commands by the single executable, to the Node that is in it. */
export const executable: Benchmark = {
  name: 'executable',
  title: 'Commands of the single executable, to the Node inside of it doing nothing',
  unit: 'ms',
  available: () =>
    Promise.all([PROGRAM, NODE].map((file) => access(file))).then(
      () => true as const,
      () => 'the executable is not built; run make' // whatever keeps it from being read, a build helps
    ),
  async run(scratch: Scratch): Promise<Outcome> {
    const machine = await createMachine(scratch, 'machine')
    await machine.start()
    const hasAgent = await unlock(machine, scratch)
    return { ...(await compare(bareNode(NODE), subjectsOf(machine, hasAgent, [PROGRAM]), ROUNDS)), notes: [] }
  }
}
