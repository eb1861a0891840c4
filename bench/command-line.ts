import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, type Subject, timed } from './support/compare.ts'
import { isBuilt } from './support/dms.ts'
import { createMachine } from './support/machine.ts'
import { cleanEnvironment, runToEnd } from './support/processes.ts'
import type { Scratch } from './support/scratch.ts'

const ROUNDS = 9
/** Starts in a row that make one measurement. */
const STARTS = 1

const KEY_DID = ['key', 'did', 'user']
const PEERS_SELF = ['actor', 'cmd', '-c', 'user', '/dms/node/peers/self']

/** How long the commands take that scripts call most, as whole processes, to Node itself. */
export const commandLine: Benchmark = {
  name: 'command-line',
  title: 'Commands, as whole processes, to a Node that does nothing',
  unit: 'ms',
  available: isBuilt,
  async run(scratch: Scratch): Promise<Outcome> {
    const machine = await createMachine(scratch, 'machine')
    await machine.start()
    const bare = subject('node -e 0', () => runToEnd(process.execPath, ['-e', '0'], cleanEnvironment()))
    const subjects = [
      subject('nunet key did, a key file that is cheap to open', () => machine.nunet(KEY_DID)),
      subject('nunet key did, as the reference protects key files', () => machine.nunet(KEY_DID, { keys: 'standard' })),
      subject('nunet actor cmd /dms/node/peers/self, cheap key file', () => machine.nunet(PEERS_SELF)),
      subject('nunet actor cmd /dms/node/peers/self, standard key file', () => machine.nunet(PEERS_SELF, { keys: 'standard' }))
    ]
    const comparison = await compare(bare, subjects, ROUNDS)
    return {
      ...comparison,
      notes: ['cheap: scrypt with n = 2; standard: n = 2^18, r = 8 (256 MiB), which is the same work for every program']
    }
  }
}

function subject(name: string, run: () => Promise<string>): Subject {
  return {
    name,
    measure: () =>
      timed(STARTS, async () => {
        for (let start = 0; start < STARTS; start += 1) await run()
      })
  }
}
