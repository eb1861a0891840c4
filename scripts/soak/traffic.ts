import { fileURLToPath } from 'node:url'
import { millis, systemClock, systemRandom } from '../../src/base/index.ts'
import { createClient, createSession, type Session } from '../../src/client/index.ts'
import { generateKeyPair } from '../../src/identity/index.ts'
import { createContext } from '../../src/ucan/index.ts'
import type { TestMachine } from '../../test/support/machine.ts'
import { type Question, socketOf } from '../hostile/observe.ts'

const ENSEMBLE = fileURLToPath(new URL('../../examples/hello.yaml', import.meta.url))
const OFFER = ['--cpu', '1', '--ram', '3GiB', '--disk', '3GiB', '--no-gpu'] as const

/** How long a job of the example may take. */
const JOB_MS = 60_000

/** What people do with two nodes: the one lends, the other deploys; both are watched. */
export async function trafficBetween(provider: TestMachine, deployer: TestMachine): Promise<readonly Question[]> {
  const { listen_addr } = await provider.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
  const [address = ''] = listen_addr.split(', ')
  await deployer.command('/dms/node/peers/connect', '--address', address)
  await provider.command('/dms/node/onboarding/onboard', ...OFFER)
  const [owner, user] = [sessionOf(provider), sessionOf(deployer)]
  return [
    question('the provider’s owner looks at resources', 200, () => ask(owner, '/dms/node/resources/free')),
    question('the provider’s owner looks at peers', 500, () => ask(owner, '/dms/node/peers/list')),
    question('the user lists deployments', 500, () => ask(user, '/dms/node/deployment/list')),
    question('the deployer pings the provider', 250, () => ask(user, '/dms/node/peers/ping', { Host: provider.dms.peerId })),
    question('the deployer greets the provider', 5000, async () => {
      await deployer.succeed('actor', 'cmd', '-c', 'dms', '-t', '10s', '/public/hello', '--dest', provider.dms.peerId)
    }),
    question('the deployer greets everybody', 10_000, async () => {
      await deployer.succeed('actor', 'cmd', '-c', 'dms', '-t', '3s', '/broadcast/hello')
    }),
    question('a stranger asks the provider, and gets nothing', 2000, () => askAsStranger(provider)),
    question('a job is deployed and ends', 20_000, () => runJob(deployer))
  ]
}

function question(name: string, everyMs: number, ask: () => Promise<void>): Question {
  return { name, everyMs, ask }
}

function sessionOf(machine: TestMachine, signer = machine.user): Session {
  const client = createClient({ tcp: { host: '127.0.0.1', port: machine.restPort }, socket: socketOf(machine) })
  return createSession({ client, context: createContext({ signer }), clock: systemClock, random: systemRandom })
}

async function ask(session: Session, behavior: string, payload?: Readonly<Record<string, string>>): Promise<void> {
  await session.invoke({ behavior, timeout: millis(10_000), ...(payload === undefined ? {} : { payload }) })
}

async function askAsStranger(machine: TestMachine): Promise<void> {
  const stranger = sessionOf(machine, generateKeyPair())
  const answered = await stranger.invoke({ behavior: '/dms/node/peers/list', timeout: millis(500) }).then(
    () => true,
    () => false
  )
  if (answered) throw new Error('a stranger got an answer')
}

interface Started {
  readonly EnsembleID?: string
  readonly ensemble_id?: string
}

async function runJob(deployer: TestMachine): Promise<void> {
  const started = await deployer.command<Started>('/dms/node/deployment/new', '-f', ENSEMBLE)
  const id = started.EnsembleID ?? started.ensemble_id ?? ''
  const deadline = Date.now() + JOB_MS
  for (;;) {
    const { status } = await deployer.command<{ readonly status: string }>('/dms/node/deployment/status', '-i', id)
    if (status === 'Completed') return
    if (status === 'Failed' || Date.now() > deadline) throw new Error(`a job ended as ${status}`)
    await systemClock.sleep(millis(1000))
  }
}
