import { type ChildProcess, fork } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { seconds } from '../src/base/index.ts'
import { hello, publicStatus } from '../src/protocol/index.ts'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, computed, type Figure, type Subject, timed } from './support/compare.ts'
import { isBuilt, loadDms } from './support/dms.ts'
import { createLink } from './support/link.ts'
import { type MessageNode, rootOf, startMessageNode, WAYS, type Way } from './support/message-nodes.ts'
import { type PeerSays, REPORTED_TOGETHER } from './support/message-peer.ts'
import { cleanEnvironment, stopProcess } from './support/processes.ts'
import { spreadOf } from './support/spread.ts'

const ROUNDS = 9
/** Messages of one measurement over kept streams, and over a stream per message. */
const MESSAGES: Readonly<Record<Way, number>> = { kept: 1280, plain: 160 }
/** Messages that are on their way at the same time. */
const AT_ONCE = 48
const RAW = 200
/** How long messages are valid: the receiver remembers those that are, some ten thousands of each caller, and refuses more. */
const LIFETIME = seconds(3)

/** What messages cost between two processes, in what their signatures cost. */
export const messages: Benchmark = {
  name: 'messages',
  title: 'Messages between nodes in two processes (48 at a time) to one Ed25519 signature and one verification on one core',
  unit: 'ms',
  available: isBuilt,
  async run(): Promise<Outcome> {
    const dms = await loadDms()
    const seed = randomBytes(32)
    const { caller, receiver } = await createLink(dms, seed)
    const peer = await startPeer(seed)
    const nodes = new Map<Way, MessageNode>()
    try {
      for (const way of WAYS) {
        const node = await startMessageNode(dms, caller, { way })
        nodes.set(way, node)
        await node.connect(peer.addresses[way])
      }
      const to = rootOf(dms, receiver)
      const [work, describeWork] = createWorkNotes(peer)
      const subjects = [...nodes].flatMap(([way, { root }]) => [
        work(
          oneWay(way, peer, () => root.send(to, publicStatus, null, { timeout: LIFETIME })),
          MESSAGES[way]
        ),
        work(
          exchange(way, async () => void (await root.invoke(to, hello, null, { timeout: LIFETIME }))),
          MESSAGES[way]
        )
      ])
      const comparison = await compare(signatures(), subjects, ROUNDS)
      return { ...comparison, notes: [...describe(comparison.figures), ...describeWork()] }
    } finally {
      await Promise.all([...nodes.values()].map((node) => node.stop()))
      await peer.stop()
    }
  }
}

const WAY_NAMES: Readonly<Record<Way, string>> = { kept: 'on kept streams', plain: 'on a stream per message' }

function signatures(): Subject {
  const signAll = createSignatures()
  return { name: 'sign and verify 256 bytes', measure: async () => timed(RAW, signAll) }
}

/** Signs and verifies as many texts as one measurement of it takes. */
function createSignatures(): () => void {
  const { privateKey } = generateKeyPairSync('ed25519')
  const publicKey = createPublicKey(privateKey)
  const texts = Array.from({ length: RAW }, () => randomBytes(256))
  return () => {
    for (const text of texts) if (!verify(null, text, publicKey, sign(null, text, privateKey))) throw new Error('not signed')
  }
}

/** Time per message, until the receiver has seen it. */
function oneWay(way: Way, peer: Peer, send: () => Promise<void>): Subject {
  return {
    name: `a message, ${WAY_NAMES[way]}`,
    measure: () => timed(MESSAGES[way], () => peer.send(MESSAGES[way], send))
  }
}

/** Time per message of an exchange, which has two. */
function exchange(way: Way, ask: () => Promise<void>): Subject {
  const count = MESSAGES[way] / 2
  return {
    name: `a request or its answer, ${WAY_NAMES[way]}`,
    measure: () =>
      timed(2 * count, async () => {
        let asked = 0
        const worker = async (): Promise<void> => {
          while (asked < count) {
            asked += 1
            await ask()
          }
        }
        await Promise.all(Array.from({ length: AT_ONCE }, worker))
      })
  }
}

/** Microseconds of processor time per message in the two processes, and of a signature and its verification. */
interface Work {
  readonly here: number[]
  readonly there: number[]
  readonly yardstick: number[]
}

/** Notes how much processor time subjects take in the two processes, which says more than the clock on a busy machine. */
function createWorkNotes(peer: Peer): readonly [(subject: Subject, count: number) => Subject, () => readonly string[]] {
  const notes = new Map<string, Work>()
  const micros = ({ user, system }: NodeJS.CpuUsage): number => user + system
  const signAll = createSignatures()
  const watch = (subject: Subject, count: number): Subject => ({
    name: subject.name,
    async measure() {
      const [here, there] = [process.cpuUsage(), await peer.cpuUsage()]
      const value = await subject.measure()
      const work: Work = notes.get(subject.name) ?? { here: [], there: [], yardstick: [] }
      work.here.push(micros(process.cpuUsage(here)) / count)
      work.there.push((micros(await peer.cpuUsage()) - micros(there)) / count)
      work.yardstick.push(computed(RAW, signAll) * 1000)
      notes.set(subject.name, work)
      return value
    }
  })
  return [watch, () => [...notes].map(([name, work]) => `processor time, ${name}: ${describeWork(work)}`)]
}

function describeWork({ here, there, yardstick }: Work): string {
  const middle = (values: readonly number[]): number => spreadOf(values).median
  const ratio = Math.max(middle(here), middle(there)) / middle(yardstick)
  const times = `${middle(here).toFixed(0)} µs here, ${middle(there).toFixed(0)} µs there`
  return `${times}; with a core each, ${ratio.toFixed(2)} × a signature and a verification`
}

function describe(figures: readonly Figure[]): readonly string[] {
  const [oneWayKept, exchangeKept, oneWayPlain, exchangePlain] = figures.map(({ value }) => value.median)
  const gain = (kept = 1, plain = 1): string => (plain / kept).toFixed(1)
  const rate = (value = 1): string => Math.round(1000 / value).toLocaleString('en')
  return [
    `kept streams carry ${gain(oneWayKept, oneWayPlain)} times as many messages, and ${gain(exchangeKept, exchangePlain)} times as many exchanges`,
    `${rate(oneWayKept)} messages, and ${rate(exchangeKept)} requests and answers, in a second on kept streams`
  ]
}

/** The receiver in its process. */
interface Peer {
  readonly addresses: Readonly<Record<Way, string>>
  /** Sends so many messages, some at a time, and resolves when all were seen. */
  send(count: number, send: () => Promise<void>): Promise<void>
  cpuUsage(): Promise<NodeJS.CpuUsage>
  stop(): Promise<void>
}

async function startPeer(seed: Uint8Array): Promise<Peer> {
  const program = fileURLToPath(new URL('support/message-peer.ts', import.meta.url))
  const child: ChildProcess = fork(program, [Buffer.from(seed).toString('hex')], { env: cleanEnvironment() })
  let onSeen: (count: number) => void = () => undefined
  let onUsage: (usage: NodeJS.CpuUsage) => void = () => undefined
  const addresses = await new Promise<Readonly<Record<Way, string>>>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the receiver ended with ${code}`)))
    child.on('message', (message: PeerSays) => {
      if (message.type === 'ready') resolve(message.addresses)
      else if (message.type === 'cpu') onUsage(message.usage)
      else onSeen(message.count)
    })
  })
  return {
    addresses,
    send(count, send) {
      return new Promise((resolve, reject) => {
        let [sent, seen] = [0, 0]
        const goOn = (): void => {
          for (; sent < count && sent - seen < AT_ONCE + REPORTED_TOGETHER; sent += 1) send().catch(reject)
        }
        onSeen = (more) => {
          seen += more
          if (seen >= count) resolve()
          else goOn()
        }
        goOn()
      })
    },
    cpuUsage: () =>
      new Promise((resolve) => {
        onUsage = resolve
        child.send('cpu')
      }),
    stop: () => stopProcess(child)
  }
}
