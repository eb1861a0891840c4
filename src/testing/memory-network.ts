import {
  type AbortOptions,
  CancelledError,
  type Clock,
  type Logger,
  type Millis,
  millis,
  type Random,
  randomInt,
  silentLogger,
  systemClock,
  systemRandom
} from '../base/index.ts'
import {
  BadAddressError,
  BusyError,
  type Counters,
  checkBroadcast,
  checkFrame,
  checkInbox,
  checkTopic,
  createCounters,
  createInboxes,
  createSubscribers,
  DEFAULT_LIMITS,
  inboxProtocol,
  type NetworkHost,
  NoSuchInboxError,
  NotRunningError,
  type PeerEvent,
  type Subscribers,
  tellAll,
  UnreachableError
} from '../network/index.ts'

/** How frames of a {@link MemoryNetwork} travel. */
export interface MemoryNetworkOptions {
  /** Default: the clock of this machine. Used for latency and the time limit of validators only. */
  readonly clock?: Clock
  /** Default: the randomness of the operating system. Used for jitter only. */
  readonly random?: Random
  readonly log?: Logger
  /** How long one frame travels over one link; default 0: it arrives in a later turn of the event loop. */
  readonly latency?: Millis
  /** Up to how much longer a frame may travel, so that frames overtake each other; default 0. */
  readonly jitter?: Millis
  /** Whether hosts speak the protocol of kept streams, as all of this implementation do; default true. */
  readonly keptStreams?: boolean
}

/** Hosts in one process that behave like libp2p ones: same errors, same limits, validators run, nothing in the caller's stack. */
export interface MemoryNetwork {
  /** The host of a peer id, made at first use and not started; its address is `/memory/<peer id>/p2p/<peer id>`. */
  host(peerId: string): NetworkHost
  /** Lets two hosts hear each other whenever both run. */
  link(a: string, b: string): void
  /** Cuts them off from each other; frames on the way are lost. */
  unlink(a: string, b: string): void
}

interface Broadcast {
  readonly topic: string
  readonly frame: Uint8Array
  readonly author: string
  readonly seen: Set<string>
}

interface Member {
  readonly host: NetworkHost
  readonly links: Set<string>
  readonly subscribers: Subscribers
  readonly counters: Counters
  isRunning(): boolean
  protocols(): readonly string[]
  deliver(inbox: string, frame: Uint8Array, from: string): boolean
  tell(event: PeerEvent): void
}

/** Creates a network without hosts. */
export function createMemoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  const members = new Map<string, Member>()
  const wire = createWire(options)
  const { keptStreams = true, log = silentLogger, clock = systemClock } = options
  const fabric: Fabric = { ...wire, members, log, clock, keptStreams }

  function member(peerId: string): Member {
    const known = members.get(peerId)
    if (known !== undefined) return known
    const created = createMember(peerId, fabric)
    members.set(peerId, created)
    return created
  }

  return {
    host: (peerId) => member(peerId).host,
    link: (a, b) => link(fabric, member(a), member(b)),
    unlink: (a, b) => unlink(fabric, member(a), member(b))
  }
}

interface Wire {
  /** Lets one frame travel. Throws `BASE_CANCELLED` when the signal is aborted first. */
  travel(options?: AbortOptions): Promise<void>
  /** A round trip without jitter; at least 1 ms. */
  readonly roundTrip: Millis
}

interface Fabric extends Wire {
  readonly members: ReadonlyMap<string, Member>
  readonly clock: Clock
  readonly log: Logger
  readonly keptStreams: boolean
}

function createWire({
  clock = systemClock,
  random = systemRandom,
  latency = millis(0),
  jitter = millis(0)
}: MemoryNetworkOptions): Wire {
  return {
    async travel({ signal } = {}) {
      const duration = latency + (jitter > 0 ? randomInt(random, Math.floor(jitter) + 1) : 0)
      if (duration > 0) await clock.sleep(millis(duration), signal === undefined ? {} : { signal })
      else await new Promise((resolve) => setImmediate(resolve))
      if (signal?.aborted === true) throw new CancelledError('the frame was cancelled on its way')
    },
    roundTrip: millis(Math.max(1, 2 * latency))
  }
}

function link(fabric: Fabric, a: Member, b: Member): void {
  if (a === b || a.links.has(b.host.peerId)) return
  a.links.add(b.host.peerId)
  b.links.add(a.host.peerId)
  if (a.isRunning() && b.isRunning()) introduce(fabric, a, b)
}

function unlink(fabric: Fabric, a: Member, b: Member): void {
  if (!a.links.delete(b.host.peerId)) return
  b.links.delete(a.host.peerId)
  if (a.isRunning() && b.isRunning()) part(fabric, a, b)
}

function introduce(fabric: Fabric, a: Member, b: Member): void {
  identify(fabric, a, b)
  identify(fabric, b, a)
}

/** Tells `to` in a later turn which protocols `about` serves, if they are still connected then. */
function identify({ travel }: Fabric, to: Member, about: Member): void {
  void travel().then(() => {
    if (areConnected(to, about)) to.tell({ type: 'identified', peer: about.host.peerId, protocols: about.protocols() })
  })
}

function part({ travel }: Fabric, a: Member, b: Member): void {
  void travel().then(() => {
    a.tell({ type: 'disconnected', peer: b.host.peerId, protocols: [] })
    b.tell({ type: 'disconnected', peer: a.host.peerId, protocols: [] })
  })
}

function areConnected(a: Member, b: Member): boolean {
  return a.isRunning() && b.isRunning() && a.links.has(b.host.peerId)
}

function neighbours({ members }: Fabric, member: Member): Member[] {
  return [...member.links].flatMap((peer) => {
    const other = members.get(peer)
    return other !== undefined && areConnected(member, other) ? [other] : []
  })
}

/** Passes a broadcast on to the neighbours that subscribed and have not seen it; they judge, deliver and pass it on in turn. */
function spread(fabric: Fabric, from: Member, broadcast: Broadcast): void {
  for (const neighbour of neighbours(fabric, from)) {
    const { peerId } = neighbour.host
    if (broadcast.seen.has(peerId) || !neighbour.subscribers.topics().includes(broadcast.topic)) continue
    broadcast.seen.add(peerId)
    void fabric.travel().then(() => hear(fabric, neighbour, broadcast, from.host.peerId))
  }
}

async function hear(fabric: Fabric, member: Member, broadcast: Broadcast, forwarder: string): Promise<void> {
  const { subscribers, counters } = member
  const { verdict, audience } = await subscribers.judge(broadcast.topic, broadcast.frame, { author: broadcast.author, forwarder })
  if (!member.isRunning()) return
  if (verdict !== 'accept') {
    counters.broadcastsRefused += 1
    return
  }
  counters.broadcastsReceived += 1
  subscribers.deliver(broadcast.topic, audience, broadcast.frame)
  spread(fabric, member, broadcast)
}

function createMember(peerId: string, fabric: Fabric): Member {
  const { members, travel, clock, log } = fabric
  const counters = createCounters()
  const peerListeners = new Set<(event: PeerEvent) => void>()
  const links = new Set<string>()
  let isRunning = false
  let scoreOf: (peer: string) => number = () => 0
  const announce = (): void => {
    for (const neighbour of neighbours(fabric, self)) identify(fabric, neighbour, self)
  }
  const inboxes = createInboxes(log, announce)
  const subscribers = createSubscribers(clock, log, DEFAULT_LIMITS.validationTimeout)

  function requireRunning(): void {
    if (!isRunning) throw new NotRunningError('the network is not running: it must be started first')
  }

  function connected(peer: string): Member {
    const other = members.get(peer)
    if (other === undefined) throw new UnreachableError(`cannot reach ${peer}: no such host in this network`)
    if (!areConnected(self, other)) throw new UnreachableError(`cannot reach ${peer}: it is not linked or not running`)
    return other
  }

  function arrive(to: Member, inbox: string, frame: Uint8Array): void {
    if (!to.isRunning() || (to !== self && !areConnected(self, to))) return
    if (to.deliver(inbox, frame, peerId)) to.counters.framesReceived += 1
  }

  async function sendToPeer(peer: string, inbox: string, frame: Uint8Array, options: AbortOptions): Promise<void> {
    if (counters.sending >= DEFAULT_LIMITS.sends)
      throw new BusyError(`${counters.sending} sends are under way, more are not taken`)
    counters.sending += 1
    try {
      connected(peer)
      await travel(options)
      const to = connected(peer)
      if (!to.protocols().includes(inboxProtocol(inbox)))
        throw new NoSuchInboxError(`nobody listens on inbox ${inbox} of ${peer}`)
      void travel().then(() => arrive(to, inbox, frame))
      counters.framesSent += 1
    } finally {
      counters.sending -= 1
    }
  }

  const host: NetworkHost = {
    name: 'network',
    peerId,
    async start({ signal } = {}) {
      if (isRunning) return
      if (signal?.aborted === true) throw new CancelledError('starting the network was cancelled')
      isRunning = true
      for (const neighbour of neighbours(fabric, self)) introduce(fabric, self, neighbour)
    },
    async stop() {
      const left = neighbours(fabric, self)
      isRunning = false
      for (const neighbour of left) part(fabric, neighbour, self)
    },
    async send(peer, inbox, frame, options = {}) {
      checkInbox(inbox)
      checkFrame(frame)
      if (peer === '') throw new BadAddressError('"" is not a peer id: it is empty')
      if (options.signal?.aborted === true) throw new CancelledError(`sending to inbox ${inbox} of ${peer} was cancelled`)
      const copy = new Uint8Array(frame)
      if (peer !== peerId) {
        requireRunning()
        await sendToPeer(peer, inbox, copy, options)
        return
      }
      if (!inboxes.has(inbox)) throw new NoSuchInboxError(`nobody listens on inbox ${inbox} of this node`)
      counters.framesSent += 1
      setImmediate(() => {
        if (inboxes.deliver(inbox, copy, peerId)) counters.framesReceived += 1
      })
    },
    speaksKept: (peer) => fabric.keptStreams && host.isConnected(peer),
    listen: (inbox, listener) => inboxes.open(inbox, listener),
    async publish(topic, frame) {
      checkTopic(topic)
      checkBroadcast(frame)
      requireRunning()
      counters.broadcastsSent += 1
      spread(fabric, self, { topic, frame: new Uint8Array(frame), author: peerId, seen: new Set([peerId]) })
    },
    async subscribe(topic, listener, validate) {
      checkTopic(topic)
      const subscriber = { listener, validate }
      subscribers.add(topic, subscriber)
      return async () => void subscribers.remove(topic, subscriber)
    },
    peers: () => neighbours(fabric, self).map((neighbour) => neighbour.host.peerId),
    knownPeers: async () => [...links],
    isConnected: (peer) => neighbours(fabric, self).some((neighbour) => neighbour.host.peerId === peer),
    connectionTo: (peer) => (neighbours(fabric, self).some(({ host }) => host.peerId === peer) ? 'direct' : undefined),
    addresses: () => (isRunning ? [`/memory/${peerId}/p2p/${peerId}`] : []),
    reachability: () => 'unknown',
    async connect(address, { signal } = {}) {
      const [, peer] = /^\/memory\/([^/]+)\/p2p\/\1$/.exec(address) ?? []
      if (peer === undefined) throw new BadAddressError(`${JSON.stringify(address)} must be like /memory/<peer id>/p2p/<peer id>`)
      if (peer === peerId) throw new BadAddressError(`${address} names this node itself`)
      requireRunning()
      await travel(signal === undefined ? {} : { signal })
      const other = members.get(peer)
      if (other?.isRunning() !== true) throw new UnreachableError(`cannot reach ${address}: no such host runs in this network`)
      link(fabric, self, other)
      return peer
    },
    async ping(peer, { signal } = {}) {
      if (peer === peerId) throw new UnreachableError('cannot ping the own peer id')
      requireRunning()
      await travel(signal === undefined ? {} : { signal })
      connected(peer)
      return fabric.roundTrip
    },
    onPeer(listener) {
      peerListeners.add(listener)
      return () => void peerListeners.delete(listener)
    },
    scorePeersBy(score) {
      scoreOf = score
    },
    scores: () =>
      new Map(
        [...host.peers()].sort().map((peer) => {
          const application = scoreOf(peer)
          return [peer, { score: application, application, colocation: 0, penalty: 0, topics: {} }]
        })
      ),
    routingTable: () => [...host.peers()].sort().map((peer) => ({ peer })),
    stats: () => ({ ...counters })
  }

  const self: Member = {
    host,
    links,
    subscribers,
    counters,
    isRunning: () => isRunning,
    protocols: () => inboxes.names().map(inboxProtocol),
    deliver: (inbox, frame, from) => inboxes.deliver(inbox, frame, from),
    tell: (event) => tellAll(peerListeners, event, log)
  }
  return self
}
