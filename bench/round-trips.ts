import { rootHandleOf } from '../src/actor/index.ts'
import { silentLogger, systemClock, systemRandom } from '../src/base/index.ts'
import { hello } from '../src/protocol/index.ts'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, type Subject, timed } from './support/compare.ts'
import { type Dms, isBuilt, loadDms } from './support/dms.ts'
import { createLink, type Party } from './support/link.ts'
import { startRawPair } from './support/raw-stream.ts'
import { createActors } from './support/systems.ts'

const ROUNDS = 15
/** Round trips of one measurement, one after the other. */
const BATCH = 40

/** How many raw stream round trips an invocation costs: both ends in this process, connected by TCP on loopback. */
export const roundTrips: Benchmark = {
  name: 'round-trips',
  title: 'Round trip of an invocation between two nodes to a round trip on a raw libp2p stream',
  unit: 'ms',
  available: isBuilt,
  async run(): Promise<Outcome> {
    const dms = await loadDms()
    const raw = await startRawPair(dms)
    const nodes = await startNodes(dms)
    try {
      const subjects = [
        subject('on one stream that is kept', raw.onKeptStream),
        subject('invocation of /public/hello by a caller whose chain is known', nodes.invoke)
      ]
      const comparison = await compare(subject('300 bytes and back on a new stream', raw.onNewStream), subjects, ROUNDS)
      return { ...comparison, notes: ['an invocation opens two streams, one in each direction (B §5.3)'] }
    } finally {
      await Promise.all([nodes.stop(), raw.stop()])
    }
  }
}

function subject(name: string, work: () => Promise<void>): Subject {
  return {
    name,
    measure: () =>
      timed(BATCH, async () => {
        for (let index = 0; index < BATCH; index += 1) await work()
      })
  }
}

interface Nodes {
  invoke(): Promise<void>
  stop(): Promise<void>
}

async function startNodes(dms: Dms): Promise<Nodes> {
  const { caller, receiver } = await createLink(dms)
  const [near, far] = [await startNode(dms, caller), await startNode(dms, receiver)]
  const reply = { did: { uri: receiver.key.did } }
  far.actors.root.on(hello, async () => reply)
  const [address = ''] = far.host.addresses()
  await near.host.connect(address)
  const to = rootHandleOf(receiver.key.publicKey)
  if (!to.ok) throw new Error(to.error.message)
  return {
    async invoke() {
      await near.actors.root.invoke(to.value, hello, null)
    },
    async stop() {
      await Promise.all([near.stop(), far.stop()])
    }
  }
}

async function startNode(dms: Dms, party: Party) {
  const host = dms.network.createNetworkHost({
    privateKey: party.key.exportPrivate(),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [],
    clock: systemClock,
    random: systemRandom,
    log: silentLogger
  })
  const actors = createActors(dms, party, host)
  await actors.start()
  await host.start()
  actors.serve()
  return {
    host,
    actors,
    async stop() {
      await host.stop()
      await actors.stop()
    }
  }
}
