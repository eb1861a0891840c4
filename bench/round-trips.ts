import { hello } from '../src/protocol/index.ts'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, type Subject, timed } from './support/compare.ts'
import { type Dms, isBuilt, loadDms } from './support/dms.ts'
import { createLink } from './support/link.ts'
import { rootOf, startMessageNode } from './support/message-nodes.ts'
import { type RawPair, startRawPair } from './support/raw-stream.ts'

const ROUNDS = 15
/** Round trips of one measurement, one after the other. */
const BATCH = 40

/** How many raw stream round trips an invocation costs: both ends in this process, connected by TCP on loopback. */
export const roundTrips: Benchmark = {
  name: 'round-trips',
  title: 'Round trip of an invocation between two nodes to a round trip on a raw libp2p stream, TCP',
  unit: 'ms',
  available: isBuilt,
  async run() {
    const dms = await loadDms()
    return measure(dms, '/ip4/127.0.0.1/tcp/0', await startRawPair(dms, '/ip4/127.0.0.1/tcp/0'))
  }
}

/** The same over QUIC. */
export const quicRoundTrips: Benchmark = {
  name: 'quic-round-trips',
  title: 'Round trip of an invocation between two nodes to a round trip on a raw libp2p stream, QUIC v1',
  unit: 'ms',
  async available() {
    const built = await isBuilt()
    if (built !== true) return built
    return loadQuic().then(
      () => true as const,
      (error: unknown) => `QUIC is not available on this machine: ${error instanceof Error ? error.message : String(error)}`
    )
  },
  async run() {
    const dms = await loadDms()
    const listen = '/ip4/127.0.0.1/udp/0/quic-v1'
    return measure(dms, listen, await startRawPair(dms, listen, await loadQuic()))
  }
}

async function loadQuic(): Promise<NonNullable<Parameters<typeof startRawPair>[2]>> {
  const { quic } = await import('@chainsafe/libp2p-quic')
  return quic()
}

async function measure(dms: Dms, listen: string, raw: RawPair): Promise<Outcome> {
  const nodes = await startNodes(dms, listen)
  try {
    const subjects = [
      subject('300 bytes and back on one stream that is kept', raw.onKeptStream),
      subject('invocation of /public/hello by a caller whose chain is known', nodes.invoke)
    ]
    const comparison = await compare(subject('300 bytes and back on a new stream', raw.onNewStream), subjects, ROUNDS)
    const [kept, invocation] = comparison.figures.map(({ value }) => value.median)
    const toKept = ((invocation ?? Number.NaN) / (kept ?? Number.NaN)).toFixed(1)
    return {
      ...comparison,
      notes: [
        `the invocation takes ${toKept} times as long as the round trip on a kept stream; both ends share one process`,
        'an invocation is signed and verified twice, and goes over kept streams, one in each direction (docs/protocol.md)'
      ]
    }
  } finally {
    await Promise.all([nodes.stop(), raw.stop()])
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

async function startNodes(dms: Dms, listen: string): Promise<Nodes> {
  const { caller, receiver } = await createLink(dms)
  const [near, far] = [await startMessageNode(dms, caller, { listen }), await startMessageNode(dms, receiver, { listen })]
  const reply = { did: { uri: receiver.key.did } }
  far.root.on(hello, async () => reply)
  const [address] = far.host.addresses()
  if (address === undefined) throw new Error(`the node does not listen on ${listen}`)
  await near.connect(address)
  const to = rootOf(dms, receiver)
  return {
    async invoke() {
      await near.root.invoke(to, hello, null)
    },
    async stop() {
      await Promise.all([near.stop(), far.stop()])
    }
  }
}
