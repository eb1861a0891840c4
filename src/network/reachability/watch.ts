import type { Connection, IdentifyResult, PeerId, Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import {
  type Clock,
  errorMessage,
  type Logger,
  type Millis,
  millis,
  minutes,
  type Random,
  randomInt,
  seconds,
  withTimeout
} from '../../base/index.ts'
import type { AddressBook } from '../address-book.ts'
import { ipOf, isPublicIp, isRelayed, siteOf, withoutPeer } from '../address-kinds.ts'
import { AUTONAT_PROTOCOL, type DialResponse, decodeDialResponse, encodeDialRequest, MAX_AUTONAT_MESSAGE } from './wire.ts'

/** Whether others can open connections to this node: `unknown` until somebody tried. */
export type Reachability = 'unknown' | 'public' | 'private'

/** What finding out needs. */
export interface ReachabilityOptions {
  readonly self: PeerId
  readonly book: AddressBook
  /** Whether what that peer says is believed at once, as of bootstrap nodes; of others, two sites must agree on a guessed address. */
  readonly isTrusted: (peer: string) => boolean
  /** Connections that are open now. */
  readonly connections: () => readonly Connection[]
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** Asks peers to dial this node back (AutoNAT 1) and draws the conclusion. */
export interface ReachabilityWatch {
  current(): Reachability
  /** Hears of every change, of the very next on. Returns the end. */
  onChange(listener: (reachability: Reachability) => void): () => void
  /** Takes in what a peer said when it was identified. */
  identified(result: IdentifyResult): void
  /** Asks again and again until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>
}

/** How often is asked: while nothing is known, while little is known, and when the answer is sure. */
const PAUSES = { unknown: seconds(15), unsure: seconds(90), sure: minutes(15) } as const

/** How many answers in a row make sure, and how many against it change the verdict (as in the reference's library). */
const CONFIDENCE = 3

/** Dialling back takes the other side up to 15 s. */
const ANSWER_TIMEOUT = seconds(30)

/** Peers that are remembered as able to answer. */
const MAX_HELPERS = 1000

/** Addresses that a peer is asked to try. */
const MAX_ASKED = 8

/** Creates the watch of a node. */
export function createReachabilityWatch(options: ReachabilityOptions): ReachabilityWatch {
  const { book, isTrusted, connections, clock, random, log } = options
  const verdict = createVerdict(log)
  /** Connected peers that answer such questions. */
  const helpers = new Set<string>()
  const stopping = new AbortController()
  let asking = false
  /** Whether the last answer waits for another site to say the same: then that is asked for soon. */
  let isUnconfirmed = false
  let due = millis(0)

  async function ask(connection: Connection): Promise<void> {
    if (asking || stopping.signal.aborted) return
    asking = true
    const addresses = book.candidates().slice(0, MAX_ASKED)
    try {
      if (addresses.length > 0) conclude(connection, addresses, await request(connection, addresses, options, stopping.signal))
    } catch (error) {
      log.debug('a peer did not say whether this node can be reached', {
        peer: connection.remotePeer.toString(),
        error: errorMessage(error)
      })
    } finally {
      asking = false
      due = millis(clock.now() + (isUnconfirmed ? Math.min(verdict.pause(), PAUSES.unsure) : verdict.pause()))
    }
  }

  /** One peer could lie about where it sees this node and that it reached it there: the node would give up its relays. */
  function isBelieved({ remotePeer, remoteAddr }: Connection, worked: Multiaddr): boolean {
    return isTrusted(remotePeer.toString()) ? book.worked(worked) : book.worked(worked, siteOf(ipOf(remoteAddr) ?? ''))
  }

  function conclude(helper: Connection, addresses: readonly Multiaddr[], { status, address }: DialResponse): void {
    if (status === 'ok') {
      const reached = address === undefined ? undefined : parse(address)
      const worked = addresses.find((asked) => addresses.length === 1 || (reached !== undefined && asked.equals(reached)))
      isUnconfirmed = worked !== undefined && !isBelieved(helper, worked)
      if (worked !== undefined && !isUnconfirmed) verdict.observe('public')
    } else if (status === 'dial-error') {
      isUnconfirmed = false
      for (const asked of addresses) book.failed(asked)
      verdict.observe('private')
    }
  }

  function helperConnections(): readonly Connection[] {
    return connections().filter((connection) => helpers.has(connection.remotePeer.toString()) && isWitness(connection))
  }

  async function askAnyone(): Promise<void> {
    const able = helperConnections()
    const chosen = able[able.length === 0 ? 0 : randomInt(random, able.length)]
    if (chosen === undefined) due = millis(clock.now() + verdict.pause())
    else await ask(chosen)
  }

  return {
    current: verdict.current,
    onChange: verdict.onChange,
    identified({ peerId, protocols, connection, observedAddr }) {
      if (!isWitness(connection)) return
      const [reporter, seen] = [ipOf(connection.remoteAddr), observedAddr === undefined ? undefined : ipOf(observedAddr)]
      if (reporter !== undefined && seen !== undefined && isPublicIp(seen)) book.observed(seen, siteOf(reporter))
      if (!protocols.includes(AUTONAT_PROTOCOL) || helpers.size >= MAX_HELPERS) return
      helpers.add(peerId.toString())
      if (verdict.current() === 'unknown' || clock.now() >= due) void ask(connection)
    },
    async run(signal) {
      const stop = (): void => stopping.abort()
      signal.addEventListener('abort', stop, { once: true })
      while (!stopping.signal.aborted) {
        await clock.sleep(millis(Math.max(1000, due - clock.now())), { signal }).catch(() => undefined) // aborted: the loop ends
        if (clock.now() >= due) await askAnyone()
      }
    }
  }
}

/** Only somebody who is on the internet can say how this node looks from there. */
function isWitness({ remoteAddr, limits }: Connection): boolean {
  const ip = ipOf(remoteAddr)
  return limits === undefined && ip !== undefined && isPublicIp(ip) && !isRelayed(remoteAddr)
}

async function request(
  connection: Connection,
  addresses: readonly Multiaddr[],
  { self, clock }: ReachabilityOptions,
  signal: AbortSignal
): Promise<DialResponse> {
  const work = async (inner: AbortSignal): Promise<DialResponse> => {
    const stream = await connection.newStream(AUTONAT_PROTOCOL, { signal: inner })
    try {
      const answer = await exchange(stream, { peer: self.toMultihash().bytes, addresses }, inner)
      await stream.close({ signal: inner })
      return answer
    } catch (error) {
      stream.abort(new Error(errorMessage(error)))
      throw error
    }
  }
  return withTimeout(clock, ANSWER_TIMEOUT, 'asking whether this node can be reached', work, { signal })
}

interface Question {
  readonly peer: Uint8Array
  readonly addresses: readonly Multiaddr[]
}

async function exchange(stream: Stream, { peer, addresses }: Question, signal: AbortSignal): Promise<DialResponse> {
  const messages = lpStream(stream, { maxDataLength: MAX_AUTONAT_MESSAGE })
  await messages.write(encodeDialRequest({ peer, addresses: addresses.map(({ bytes }) => bytes) }), { signal })
  const response = decodeDialResponse((await messages.read({ signal })).subarray())
  if (response === undefined) throw new Error('the answer is none')
  return response
}

function parse(bytes: Uint8Array): Multiaddr | undefined {
  try {
    return withoutPeer(multiaddr(bytes))
  } catch {
    return undefined // of a kind that this node does not know
  }
}

interface Verdict {
  current(): Reachability
  onChange(listener: (reachability: Reachability) => void): () => void
  observe(seen: Exclude<Reachability, 'unknown'>): void
  /** How long to wait before the next question. */
  pause(): Millis
}

/** The first answer counts at once; afterwards it takes as many against it as there were for it, at most {@link CONFIDENCE}. */
function createVerdict(log: Logger): Verdict {
  const listeners = new Set<(reachability: Reachability) => void>()
  let current: Reachability = 'unknown'
  let confidence = 0

  function change(to: Reachability): void {
    log.info('reachability', { from: current, to })
    current = to
    confidence = 1
    for (const listener of listeners) listener(to)
  }

  return {
    current: () => current,
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    observe(seen) {
      if (seen === current) confidence = Math.min(CONFIDENCE, confidence + 1)
      else if (current === 'unknown' || confidence <= 1) change(seen)
      else confidence -= 1
    },
    pause() {
      if (current === 'unknown') return PAUSES.unknown
      return confidence < CONFIDENCE ? PAUSES.unsure : PAUSES.sure
    }
  }
}
