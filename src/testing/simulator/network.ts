import {
  type AbortOptions,
  CancelledError,
  errorMessage,
  type Logger,
  type Millis,
  millis,
  type Service,
  silentLogger
} from '../../base/index.ts'
import {
  BadAddressError,
  checkBroadcast,
  checkFrame,
  checkInbox,
  checkTopic,
  createInboxes,
  type Inboxes,
  inboxProtocol,
  NoSuchInboxError,
  NotRunningError,
  type PeerEvent,
  type PeerScore,
  tellAll,
  UnreachableError,
  type Verdict
} from '../../network/index.ts'
import type { SimulatedProcess } from './process.ts'
import type { Wire } from './wire.ts'
import type { World } from './world.ts'

/** The network as one life of a node sees it; satisfies `MessageTransport`, `PeerDirectory` and what else nodes ask for. */
export interface SimulatedHost extends Service {
  readonly peerId: string
  send(host: string, inbox: string, frame: Uint8Array, options?: AbortOptions): Promise<void>
  listen(inbox: string, listener: (frame: Uint8Array, from: string) => void): () => void
  publish(topic: string, frame: Uint8Array): Promise<void>
  subscribe(
    topic: string,
    listener: (frame: Uint8Array) => void,
    validate: (frame: Uint8Array) => Verdict | Promise<Verdict>
  ): Promise<() => Promise<void>>
  peers(): readonly string[]
  addresses(): readonly string[]
  connect(address: string, options?: AbortOptions): Promise<string>
  ping(peer: string, options?: AbortOptions): Promise<Millis>
  isConnected(peer: string): boolean
  onPeer(listener: (event: PeerEvent) => void): () => void
  knownPeers(): Promise<readonly string[]>
  scorePeersBy(scoreOf: (peer: string) => number): void
  scores(): ReadonlyMap<string, PeerScore>
  routingTable(): readonly { readonly peer: string }[]
  reachability(): 'unknown'
  connectionTo(peer: string): 'direct' | undefined
  stats(): object
}

const NO_SCORE: PeerScore = { score: 0, application: 0, colocation: 0, penalty: 0, topics: {} }
/** A frame that has reached a host. */
export interface Arrival {
  /** Peer id of the sender; of the publisher for broadcasts. */
  readonly from: string
  readonly to: string
  /** `''` for broadcasts. */
  readonly inbox: string
  readonly frame: Uint8Array
}

/** Sees the frames of a {@link SimulatedNetwork}. */
export interface NetworkObserver {
  /** A host hands a frame over; `to` is a peer id, or `#` and a topic. */
  sent(from: string, to: string, frame: Uint8Array): void
  /** A frame is about to be given to a host; runs `deliver`, in which the host looks at it. */
  delivering(arrival: Arrival, deliver: () => void): void
  /** A listener of a host has thrown, which a real host survives, and logs. */
  failed(host: string, error: string): void
}

/** Hosts in a world, connected as neighbours and reachable for everybody. */
export interface SimulatedNetwork {
  /** Adds a host that is not running; `neighbours` are the hosts with which it is connected whenever both run. */
  add(peerId: string, neighbours: readonly string[]): void
  /** The network for a new life of a host; ends with the life. */
  attach(peerId: string, process: SimulatedProcess): SimulatedHost
  /** The process of a host is gone; its neighbours find out. */
  detach(peerId: string): void
  /** Splits the hosts: those of different groups cannot reach each other. */
  split(groupOf: (peerId: string) => number): void
  /** Loses, without a word, what the first host sends the second. */
  silence(from: string, to: string): void
  /** Ends all splits and silences. */
  heal(): void
  /** Hands a frame to a host as it is, as if `from` had sent it: for hostile peers. */
  inject(from: string, to: string, inbox: string, frame: Uint8Array): void
  /** Publishes a frame as it is. */
  injectBroadcast(from: string, topic: string, frame: Uint8Array): void
}

interface Subscriber {
  readonly listener: (frame: Uint8Array) => void
  readonly validate: (frame: Uint8Array) => Verdict | Promise<Verdict>
}

/** One life of a host. */
interface Life {
  readonly process: SimulatedProcess
  readonly inboxes: Inboxes
  readonly topics: Map<string, Set<Subscriber>>
  readonly listeners: Set<(event: PeerEvent) => void>
  /** Neighbours with which it believes to be connected. */
  readonly connected: Set<string>
  isRunning: boolean
}

interface Member {
  readonly peerId: string
  readonly neighbours: Set<string>
  life: Life | undefined
}

interface Broadcast {
  readonly topic: string
  readonly frame: Uint8Array
  readonly origin: string
  /** Lives that have got it. */
  readonly seen: Set<Life>
}

/** How long the loss of a connection goes unnoticed, and how long a host that is not there is dialled. */
const NOTICE_MS = { from: 1000, to: 15_000 }
const DIAL_MS = { from: 20, to: 3000 }

/** Creates a network without hosts. */
export function createSimulatedNetwork(world: World, wire: Wire, observer: NetworkObserver): SimulatedNetwork {
  const members = new Map<string, Member>()
  const chance = world.chance.fork('network')
  const silenced = new Set<string>()
  let groupOf: ((peerId: string) => number) | undefined

  function isRunning(peerId: string): boolean {
    return members.get(peerId)?.life?.isRunning === true
  }

  function areApart(a: string, b: string): boolean {
    return groupOf !== undefined && groupOf(a) !== groupOf(b)
  }

  function isReachable(from: string, to: string): boolean {
    return isRunning(to) && !areApart(from, to)
  }

  function tell(life: Life, event: PeerEvent): void {
    if (!life.process.isAlive || !life.isRunning) return
    if (event.type === 'identified') life.connected.add(event.peer)
    else if (!life.connected.delete(event.peer)) return
    tellAll(life.listeners, event, silentLogger)
  }

  /** Both ends learn that they are connected, each a moment later. */
  function introduce(a: Member, b: Member): void {
    for (const [self, other] of [
      [a, b],
      [b, a]
    ] as const) {
      const { life } = self
      const theirs = other.life
      if (life === undefined || theirs === undefined) continue
      world.after(chance.between(5, 400), () => {
        if (self.life !== life || other.life !== theirs || !isReachable(self.peerId, other.peerId)) return
        tell(life, { type: 'identified', peer: other.peerId, protocols: theirs.inboxes.names().map(inboxProtocol) })
      })
    }
  }

  function part(self: Member, peer: string): void {
    const { life } = self
    if (life === undefined) return
    world.after(chance.between(NOTICE_MS.from, NOTICE_MS.to), () => {
      if (self.life === life && !isReachable(self.peerId, peer)) tell(life, { type: 'disconnected', peer, protocols: [] })
    })
  }

  function neighboursOf(self: Member): readonly Member[] {
    return [...self.neighbours].flatMap((peer) => members.get(peer) ?? [])
  }

  function announce(self: Member): void {
    for (const other of neighboursOf(self)) {
      if (isReachable(self.peerId, other.peerId)) introduce(self, other)
    }
  }

  function arrive(from: string, to: string, inbox: string, frame: Uint8Array): void {
    const life = members.get(to)?.life
    if (life?.isRunning !== true || !life.inboxes.has(inbox) || areApart(from, to)) return
    observer.delivering({ from, to, inbox, frame }, () => void life.inboxes.deliver(inbox, frame, from))
  }

  function sendToPeer(process: SimulatedProcess, from: string, to: string, inbox: string, frame: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!isReachable(from, to)) {
        process.after(chance.between(DIAL_MS.from, DIAL_MS.to), () =>
          reject(new UnreachableError(`cannot reach ${to}: it does not answer`))
        )
        return
      }
      observer.sent(from, to, frame)
      const { arrivals, isTold } = wire.journey(from, to)
      const [first, ...copies] = arrivals
      if (first === undefined || silenced.has(`${from}>${to}`)) {
        process.after(chance.between(DIAL_MS.from, DIAL_MS.to), () => {
          if (isTold && first === undefined) reject(new UnreachableError(`cannot reach ${to}: the stream broke`))
          else resolve()
        })
        return
      }
      world.after(first, () => {
        if (!isReachable(from, to)) {
          if (process.isAlive) reject(new UnreachableError(`cannot reach ${to}: the connection broke`))
          return
        }
        if (members.get(to)?.life?.inboxes.has(inbox) !== true) {
          if (process.isAlive) reject(new NoSuchInboxError(`nobody listens on inbox ${inbox} of ${to}`))
          return
        }
        if (process.isAlive) resolve()
        arrive(from, to, inbox, frame)
      })
      for (const copy of copies) world.after(copy, () => arrive(from, to, inbox, frame))
    })
  }

  function spread(from: Member, broadcast: Broadcast): void {
    for (const { peerId, life } of neighboursOf(from)) {
      if (life === undefined || !life.isRunning || broadcast.seen.has(life) || !life.topics.has(broadcast.topic)) continue
      if (areApart(from.peerId, peerId) || silenced.has(`${from.peerId}>${peerId}`)) continue
      const [first] = wire.journey(from.peerId, peerId).arrivals
      if (first === undefined) continue // another neighbour may pass it on
      broadcast.seen.add(life)
      world.after(first, () => hear(peerId, life, broadcast))
    }
  }

  /** As a gossip router: validators first, then listeners, then it is passed on. */
  function hear(peerId: string, life: Life, broadcast: Broadcast): void {
    const self = members.get(peerId)
    const { topic, frame, origin } = broadcast
    const subscribers = [...(life.topics.get(topic) ?? [])]
    if (self?.life !== life || !life.process.isAlive || subscribers.length === 0) return
    const pass = (verdicts: readonly Verdict[]): void => {
      if (!life.process.isAlive || verdicts.some((verdict) => verdict !== 'accept')) return
      for (const subscriber of subscribers) {
        if (life.topics.get(topic)?.has(subscriber) === true)
          listenTo(subscriber, frame, (error) => observer.failed(peerId, error))
      }
      spread(self, broadcast)
    }
    observer.delivering({ from: origin, to: peerId, inbox: '', frame }, () => {
      const verdicts = subscribers.map((subscriber) => judge(subscriber, frame))
      // Nodes judge at once, and what follows belongs to the same delivery; others may take their time.
      if (verdicts.every((verdict) => typeof verdict === 'string')) pass(verdicts)
      else void Promise.all(verdicts.map(async (verdict) => verdict)).then(pass)
    })
  }

  function attach(peerId: string, process: SimulatedProcess): SimulatedHost {
    const self = members.get(peerId)
    if (self === undefined) throw new Error(`there is no host ${peerId}`)
    const life: Life = {
      process,
      inboxes: createInboxes(
        failureLog((error) => observer.failed(peerId, error)),
        () => undefined
      ),
      topics: new Map(),
      listeners: new Set(),
      connected: new Set(),
      isRunning: false
    }
    self.life = life

    function requireRunning(): void {
      if (!life.isRunning) throw new NotRunningError('the network is not running: it must be started first')
    }

    return {
      name: 'network',
      peerId,
      async start() {
        life.isRunning = true
        announce(self)
      },
      async stop() {
        life.isRunning = false
      },
      send: (host, inbox, frame, { signal } = {}) =>
        process.guard(async () => {
          checkInbox(inbox)
          checkFrame(frame)
          if (host === '') throw new BadAddressError('"" is not a peer id: it is empty')
          if (signal?.aborted === true) throw new CancelledError(`sending to inbox ${inbox} of ${host} was cancelled`)
          requireRunning()
          if (host !== peerId) {
            await untilAborted(sendToPeer(process, peerId, host, inbox, frame.slice()), `sending to ${host}`, signal)
            return
          }
          if (!life.inboxes.has(inbox)) throw new NoSuchInboxError(`nobody listens on inbox ${inbox} of this node`)
          observer.sent(peerId, peerId, frame)
          const copy = frame.slice()
          process.after(0, () => arrive(peerId, peerId, inbox, copy))
        }),
      listen: (inbox, listener) => life.inboxes.open(inbox, listener),
      publish: (topic, frame) =>
        process.guard(async () => {
          checkTopic(topic)
          checkBroadcast(frame)
          requireRunning()
          observer.sent(peerId, `#${topic}`, frame)
          spread(self, { topic, frame: frame.slice(), origin: peerId, seen: new Set([life]) })
        }),
      async subscribe(topic, listener, validate) {
        checkTopic(topic)
        const subscriber = { listener, validate }
        const subscribers = life.topics.get(topic) ?? new Set()
        life.topics.set(topic, subscribers.add(subscriber))
        return async () => void subscribers.delete(subscriber)
      },
      peers: () => [...life.connected],
      addresses: () => (life.isRunning ? [`/memory/${peerId}/p2p/${peerId}`] : []),
      connect: (address) =>
        process.guard(async () => {
          const [, peer] = /^\/memory\/([^/]+)\/p2p\/\1$/.exec(address) ?? []
          if (peer === undefined || peer === peerId) throw new BadAddressError(`${JSON.stringify(address)} is no other host`)
          if (!isReachable(peerId, peer)) throw new UnreachableError(`cannot reach ${address}`)
          return peer
        }),
      ping: (peer) =>
        process.guard(async () => {
          await world.sleep(chance.between(4, 120))
          if (peer === peerId || !isReachable(peerId, peer)) throw new UnreachableError(`cannot reach ${peer}`)
          return millis(20)
        }),
      isConnected: (peer) => life.connected.has(peer),
      connectionTo: (peer) => (life.connected.has(peer) ? 'direct' : undefined),
      onPeer(listener) {
        life.listeners.add(listener)
        return () => void life.listeners.delete(listener)
      },
      knownPeers: async () => [...self.neighbours],
      scorePeersBy: () => undefined, // whose broadcasts are carried is not simulated
      scores: () => new Map([...life.connected].sort().map((peer) => [peer, NO_SCORE])),
      routingTable: () => [...life.connected].sort().map((peer) => ({ peer })),
      reachability: () => 'unknown',
      stats: () => ({})
    }
  }

  /** Everybody finds out who is reachable now and was not, and the other way round. */
  function regroup(change: () => void): void {
    const pairs = [...members.values()].flatMap((self) =>
      neighboursOf(self)
        .filter(({ peerId }) => self.peerId < peerId)
        .map((other) => ({ self, other, before: isReachable(self.peerId, other.peerId) }))
    )
    change()
    for (const { self, other, before } of pairs) {
      if (!isRunning(self.peerId) || !isRunning(other.peerId)) continue
      const isTogether = isReachable(self.peerId, other.peerId)
      if (isTogether && !before) introduce(self, other)
      if (isTogether || !before) continue
      part(self, other.peerId)
      part(other, self.peerId)
    }
  }

  return {
    add(peerId, neighbours) {
      const self: Member = { peerId, neighbours: new Set(neighbours), life: undefined }
      members.set(peerId, self)
      for (const peer of neighbours) members.get(peer)?.neighbours.add(peerId)
    },
    attach,
    detach(peerId) {
      const self = members.get(peerId)
      if (self?.life === undefined) return
      self.life = undefined
      for (const other of neighboursOf(self)) part(other, peerId)
    },
    split: (groups) =>
      regroup(() => {
        groupOf = groups
      }),
    silence: (from, to) => void silenced.add(`${from}>${to}`),
    heal: () =>
      regroup(() => {
        groupOf = undefined
        silenced.clear()
      }),
    inject(from, to, inbox, frame) {
      world.after(chance.between(2, 200), () => arrive(from, to, inbox, frame))
    },
    injectBroadcast(from, topic, frame) {
      const self = members.get(from)
      if (self === undefined) return
      spread(self, { topic, frame, origin: from, seen: new Set() })
    }
  }
}

/** What a validator says; one that fails ignores the frame. */
function judge({ validate }: Subscriber, frame: Uint8Array): Verdict | Promise<Verdict> {
  try {
    const verdict = validate(frame)
    return typeof verdict === 'string' ? verdict : verdict.catch(() => 'ignore')
  } catch {
    return 'ignore' // as a real router: the message of a validator that fails goes nowhere
  }
}

/** A listener that fails harms nobody. */
function listenTo({ listener }: Subscriber, frame: Uint8Array, onFailure: (error: string) => void): void {
  try {
    listener(frame.slice())
  } catch (error) {
    onFailure(errorMessage(error))
  }
}

/** A log that passes on errors alone. */
function failureLog(onError: (error: string) => void): Logger {
  const log: Logger = {
    ...silentLogger,
    child: () => log,
    error: (message, fields = {}) => onError(typeof fields['error'] === 'string' ? fields['error'] : message)
  }
  return log
}

async function untilAborted<T>(work: Promise<T>, what: string, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new CancelledError(`${what} was cancelled`))
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
