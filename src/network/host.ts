import '../polyfills.ts'
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { CancelledError, createSerialQueue, withTimeout } from '../base/index.ts'
import { parseAnnouncedAddresses, parseListenAddresses, parsePeerAddress, parsePeerId } from './addresses.ts'
import { createCounters } from './counters.ts'
import { BadAddressError, BadKeyError, NotRunningError, UnreachableError } from './errors.ts'
import { NO_FEATURES } from './features.ts'
import { createInboxes } from './inboxes.ts'
import { NO_STORAGE } from './known-peers.ts'
import { checkBroadcast, checkTopic, DEFAULT_LIMITS } from './limits.ts'
import { networkNames } from './names.ts'
import { createSender } from './sender.ts'
import type { Session } from './session.ts'
import { createSubscribers } from './subscribers.ts'
import { tellAll } from './tell.ts'
import type { NetworkHost, NetworkHostOptions, PeerEvent } from './types.ts'

/**
 * Creates the libp2p host of a node; nothing is opened before {@link NetworkHost.start}. It can be started again after a stop.
 *
 * @throws BadKeyError, BadAddressError when key, listen or bootstrap addresses cannot be used. `start` throws
 * `NETWORK_LISTEN_FAILED` (conflict) naming the addresses.
 */
export function createNetworkHost(options: NetworkHostOptions): NetworkHost {
  const { clock, random, log, bootstrap } = options
  const privateKey = parsePrivateKey(options.privateKey)
  const self = peerIdFromPrivateKey(privateKey)
  const peerId = self.toString()
  const listen = parseListenAddresses(options.listen)
  const announce = parseAnnouncedAddresses(options.announce ?? [], self)
  const names = networkNames(options.naming)
  const onWire = (topic: string): string => `${names.topicPrefix}${topic}`
  const features = { ...NO_FEATURES, ...options.features }
  const bootstrapPeers = bootstrap.map(parsePeerAddress)
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const counters = createCounters()
  const peerListeners = new Set<(event: PeerEvent) => void>()
  const lifecycle = createSerialQueue()
  let session: Session | undefined
  let scoreOf: (peer: string) => number = () => 0

  const inboxes = createInboxes(log, () => session?.offerInboxes())
  const subscribers = createSubscribers(clock, log, limits.validationTimeout)

  function running(): Session {
    if (session === undefined) throw new NotRunningError('the network is not running: it must be started first')
    return session
  }

  async function start({ signal }: { readonly signal?: AbortSignal }): Promise<void> {
    if (session !== undefined) return
    if (signal?.aborted === true) throw new CancelledError('starting the network was cancelled')
    const { openSession } = await import('./session.ts') // the libp2p stack takes half a second to load
    const opened = await openSession({
      ...{
        privateKey,
        self,
        listen,
        announce,
        features,
        names,
        bootstrap: bootstrapPeers,
        storage: options.knownPeers ?? NO_STORAGE,
        inboxes,
        subscribers,
        counters,
        peerScore: (peer) => scoreOf(peer),
        limits,
        clock,
        random,
        log
      },
      onPeer: (event) => tellAll(peerListeners, event, log)
    })
    session = opened
    opened.offerInboxes()
    opened.topics.followSubscribers()
    log.info('the network is up', { peer: peerId, addresses: opened.addresses() })
  }

  async function stop(): Promise<void> {
    const closing = session
    session = undefined
    await closing?.close()
  }

  const send = createSender({ self, inboxes, counters, limits, running })

  return {
    name: 'network',
    peerId,
    start: (startOptions = {}) => lifecycle.run(() => start(startOptions)),
    stop: () => lifecycle.run(stop),
    send,
    speaksKept: (peer) => session?.speaksKept(peer) ?? false,
    listen: (inbox, listener) => inboxes.open(inbox, listener),
    async publish(topic, frame) {
      checkTopic(topic)
      checkBroadcast(frame)
      await running().topics.publish(onWire(topic), frame)
    },
    async subscribe(topic, listener, validate) {
      checkTopic(topic)
      const subscriber = { listener, validate }
      if (subscribers.add(onWire(topic), subscriber)) session?.topics.followSubscribers()
      return async () => {
        if (subscribers.remove(onWire(topic), subscriber)) session?.topics.followSubscribers()
      }
    },
    peers: () => session?.peers() ?? [],
    knownPeers: async () => (await session?.knownPeers()) ?? [],
    connectionTo: (peer) => session?.connectionTo(peer),
    isConnected: (peer) => session?.peers().includes(peer) ?? false,
    addresses: () => session?.addresses() ?? [],
    reachability: () => session?.reachability.current() ?? 'unknown',
    async connect(text, { signal } = {}) {
      const { address, peer } = parsePeerAddress(text)
      if (peer.equals(self)) throw new BadAddressError(`${text} names this node itself`)
      const { reach } = running()
      const work = (inner: AbortSignal) => reach.dial(peer, [address], inner)
      await withTimeout(clock, limits.sendTimeout, `connecting to ${text}`, work, signal === undefined ? {} : { signal })
      return peer.toString()
    },
    async ping(text, { signal } = {}) {
      const peer = parsePeerId(text)
      if (peer.equals(self)) throw new UnreachableError('cannot ping the own peer id')
      return running().ping(peer, signal)
    },
    onPeer(listener) {
      peerListeners.add(listener)
      return () => void peerListeners.delete(listener)
    },
    scorePeersBy(score) {
      scoreOf = score
    },
    scores: () => {
      const { peers = () => [], topics } = session ?? {}
      return topics === undefined ? new Map() : topics.scores([...peers()].sort())
    },
    routingTable: () => session?.routingTable() ?? [],
    stats: () => ({ ...counters })
  }
}

function parsePrivateKey(bytes: Uint8Array): PrivateKey {
  try {
    return privateKeyFromProtobuf(bytes)
  } catch {
    // The cause is left out on purpose: it might quote the key.
    throw new BadKeyError('the private key is not a libp2p protobuf key of type Ed25519 or secp256k1')
  }
}
