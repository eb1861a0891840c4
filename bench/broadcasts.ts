import type { Libp2p } from '@libp2p/interface'
import { millis, systemClock } from '../src/base/index.ts'
import { DEFAULT_LIMITS } from '../src/network/index.ts'
import { broadcastHello } from '../src/protocol/index.ts'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, type Subject, timed } from './support/compare.ts'
import { type Dms, isBuilt, loadDms } from './support/dms.ts'
import { createLink } from './support/link.ts'
import { type MessageNode, startMessageNode } from './support/message-nodes.ts'

const ROUNDS = 9
const NODES = 20
/** Broadcasts of one measurement, one after the other. */
const BATCH = 3

/** How long a broadcast takes to reach all of 20 nodes in this process, held against bare gossip routers. */
export const broadcasts: Benchmark = {
  name: 'broadcasts',
  title: `A broadcast until ${NODES} nodes in one process have it to the same bytes among bare gossip routers`,
  unit: 'ms',
  available: isBuilt,
  async run(): Promise<Outcome> {
    const dms = await loadDms()
    const bare = await startBare(dms)
    const nodes = await startNodes(dms)
    try {
      const comparison = await compare(
        subject('signed by the router, 3 kB', bare.publish),
        [subject('envelope of /broadcast/hello, verified and authorised by each', nodes.publish)],
        ROUNDS
      )
      return {
        ...comparison,
        notes: ['each node is connected to the first one; all share one process, so nothing happens at the same time']
      }
    } finally {
      await nodes.stop()
      await bare.stop()
    }
  }
}

function subject(name: string, publish: () => Promise<void>): Subject {
  return {
    name,
    measure: () =>
      timed(BATCH, async () => {
        for (let index = 0; index < BATCH; index += 1) await publish()
      })
  }
}

interface Crowd {
  /** Resolves when all have it. */
  publish(): Promise<void>
  stop(): Promise<void>
}

/** Calls back when every other node has heard a broadcast. */
function createCount(): { heard(): void; all(): Promise<void> } {
  let left = 0
  let done: () => void = () => undefined
  return {
    heard() {
      left -= 1
      if (left === 0) done()
    },
    all() {
      left = NODES - 1
      return new Promise((resolve) => {
        done = resolve
      })
    }
  }
}

/** Publishes until a broadcast reaches everybody: routers take a while to find each other. */
async function settle(publish: () => Promise<void>): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const reached = publish().then(() => true)
    if (await Promise.race([reached, systemClock.sleep(millis(400)).then(() => false)])) return
  }
  throw new Error('a broadcast does not reach all nodes')
}

async function startBare({ libp2pNode, identity }: Dms): Promise<Crowd> {
  const { privateKeyFromProtobuf } = await import('@libp2p/crypto/keys')
  const nodes = await Promise.all(
    Array.from({ length: NODES }, () =>
      libp2pNode.createNode({
        privateKey: privateKeyFromProtobuf(identity.generateKeyPair().exportPrivate()),
        listen: ['/ip4/127.0.0.1/tcp/0'],
        limits: DEFAULT_LIMITS,
        peerScore: () => 0
      })
    )
  )
  await Promise.all(nodes.map(async (node) => node.start()))
  const count = createCount()
  const [first, ...others] = nodes
  if (first === undefined) throw new Error('there is no node')
  for (const node of nodes) node.services.pubsub.subscribe('/bench')
  for (const node of others) {
    node.services.pubsub.addEventListener('message', ({ detail }) => {
      if (detail.topic === '/bench') count.heard()
    })
    await dial(node, first)
  }
  const publish = async (): Promise<void> => {
    const reached = count.all()
    await first.services.pubsub.publish('/bench', new Uint8Array(3000))
    await reached
  }
  await settle(publish)
  return {
    publish,
    async stop() {
      await Promise.all(nodes.map(async (node) => node.stop()))
    }
  }
}

async function dial(node: Libp2p, to: Libp2p): Promise<void> {
  await node.dial(to.getMultiaddrs())
}

async function startNodes(dms: Dms): Promise<Crowd> {
  const link = await createLink(dms)
  const count = createCount()
  const first = await startMessageNode(dms, link.caller)
  first.root.on(broadcastHello, async () => dms.actor.SILENCE)
  const others: MessageNode[] = []
  for (let index = 1; index < NODES; index += 1) {
    // Each has its own key, and the trust of the receiver of the link.
    const key = dms.identity.generateKeyPair()
    const node = await startMessageNode(dms, { key, context: link.receiver.context })
    node.root.on(broadcastHello, async () => {
      count.heard()
      return dms.actor.SILENCE
    })
    await node.connect(first.host.addresses()[0] ?? '')
    others.push(node)
  }
  const publish = async (): Promise<void> => {
    const reached = count.all()
    await first.root.broadcast(broadcastHello, null)
    await reached
  }
  await settle(publish)
  return {
    publish,
    async stop() {
      await Promise.all([first, ...others].map((node) => node.stop()))
    }
  }
}
