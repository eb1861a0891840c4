import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, type Subject, timed } from './support/compare.ts'
import { isBuilt } from './support/dms.ts'
import { type CallOptions, createMachine, type Machine } from './support/machine.ts'
import { cleanEnvironment, runToEnd } from './support/processes.ts'
import type { Scratch } from './support/scratch.ts'

const ROUNDS = 15
/** Starts in a row that make one measurement. */
const STARTS = 1

const VERSION = ['version']
const HELP = ['--help']
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
    const hasAgent = await unlock(machine, scratch)
    const subjects = [
      ...subjectsOf(machine, hasAgent),
      subject('nunet key did, as the reference protects key files', () => machine.nunet(KEY_DID, { keys: 'standard' })),
      subject('nunet actor cmd …/peers/self, standard key file', () => machine.nunet(PEERS_SELF, { keys: 'standard' }))
    ]
    const comparison = await compare(bareNode(process.execPath), subjects, ROUNDS)
    return {
      ...comparison,
      notes: ['cheap: scrypt with n = 2; standard: n = 2^18, r = 8 (256 MiB), which is the same work for every program']
    }
  }
}

/** The commands that must not keep anybody waiting, however the program is installed. */
export function subjectsOf(machine: Machine, hasAgent: boolean, program?: CallOptions['program']): readonly Subject[] {
  const start = program === undefined ? {} : { program }
  const keys = hasAgent ? 'unlocked' : 'cheap'
  const file = hasAgent ? 'unlocked' : 'a key file that is cheap to open'
  return [
    subject('nunet version', () => machine.nunet(VERSION, start)),
    subject('nunet --help', () => machine.nunet(HELP, start)),
    subject(`nunet key did, ${file}`, () => machine.nunet(KEY_DID, { ...start, keys })),
    subject(`nunet actor cmd …/peers/self, ${file}`, () => machine.nunet(PEERS_SELF, { ...start, keys }))
  ]
}

/** A Node that does nothing. */
export function bareNode(node: string): Subject {
  return subject('node -e 0', () => runToEnd(node, ['-e', '0'], cleanEnvironment()))
}

/** Hands the key of the owner to an agent, where the program has one; the scratch locks it again. */
export async function unlock(machine: Machine, scratch: Scratch): Promise<boolean> {
  const hasAgent = /^ {2}unlock\b/m.test(await machine.nunet(HELP))
  if (!hasAgent) return false
  await machine.nunet(['unlock', 'user', '--for', '30m'], { keys: 'standard' })
  scratch.defer(async () => {
    await machine.nunet(['lock', 'user'], { keys: 'standard' })
  })
  return true
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
