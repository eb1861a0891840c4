import type { Connection, PeerId, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { type Clock, errorMessage, type Logger, millis, seconds, withTimeout } from '../../base/index.ts'
import { isPublic, isRelayed } from '../address-kinds.ts'
import type { NodeInternals } from '../internals.ts'
import type { Node } from '../libp2p-node.ts'
import { createMessageStream, type MessageStream } from '../messages.ts'
import { isNearby } from '../nearby.ts'
import type { Role, SharingTransport } from '../reuseport/transport.ts'
import { DCUTR_PROTOCOL, encodeHolePunch, type HolePunchMessage, MAX_DCUTR_MESSAGE, parseHolePunch } from './messages.ts'
import type { ObservedAddresses } from './observed.ts'

/** What making connections direct needs. */
export interface HolePunchOptions {
  readonly node: Node
  readonly internals: NodeInternals
  /** Nothing where ports cannot be shared: then only nodes with a public address are dialled. */
  readonly transport: SharingTransport | undefined
  readonly observed: ObservedAddresses
  readonly clock: Clock
  readonly log: Logger
}

/** Tries at a direct connection, each with its own round trip over the relay. */
const ATTEMPTS = 3

/** How long one try may take. */
const ATTEMPT_TIME = seconds(8)

/** Pause between tries: the other side may find out later that one was in vain. */
const PAUSE = seconds(2)

/** How long the addresses are dialled that need no agreement. */
const UNILATERAL_TIME = seconds(2)

/** Addresses that are dialled without agreement. */
const MAX_UNILATERAL = 8

/** How long what is under way over a relayed connection may go on once there is a direct one. */
const RETIREMENT = seconds(10)

/**
 * Turns relayed connections into direct ones: both ends dial each other at the same moment from the ports they listen on, so that
 * each router takes the other's packets for answers (DCUtR). The end that was dialled over the relay begins.
 *
 * Runs until the signal is aborted; failures leave the relayed connection as it is.
 */
export async function punchHoles(options: HolePunchOptions, signal: AbortSignal): Promise<void> {
  const { node, log } = options
  const puncher = createPuncher(options, signal)
  await node.handle(DCUTR_PROTOCOL, (stream, connection) => puncher.answer(stream, connection), {
    runOnLimitedConnection: true,
    maxInboundStreams: 1,
    maxOutboundStreams: 1
  })
  const topology = await node.register(DCUTR_PROTOCOL, {
    notifyOnLimitedConnection: true,
    onConnect: (_peer, connection) => {
      if (!isRelayed(connection.remoteAddr) || connection.direction !== 'inbound') return
      puncher.upgrade(connection).catch((error: unknown) => {
        log.debug('a relayed connection stays', { peer: `${connection.remotePeer}`, error: errorMessage(error) })
      })
    }
  })
  signal.addEventListener('abort', () => node.unregister(topology), { once: true })
}

interface Puncher {
  /** Makes an incoming relayed connection direct (the end "B" of the protocol). */
  upgrade(relayed: Connection): Promise<void>
  /** Does the same for the other side's sake (the end "A"). */
  answer(stream: Stream, relayed: Connection): Promise<void>
}

/** Where and when both sides dial. */
interface Meeting {
  readonly addresses: readonly Multiaddr[]
  readonly begin: Promise<void>
  readonly signal: AbortSignal
}

function createPuncher(options: HolePunchOptions, stopping: AbortSignal): Puncher {
  const { node, internals, transport, observed, clock, log } = options

  function directTo(peer: PeerId): Connection | undefined {
    return node.getConnections(peer).find(({ status, remoteAddr }) => status === 'open' && !isRelayed(remoteAddr))
  }

  /** Without agreement: the other side may have an address that everybody can dial, or be in the same local network. */
  async function dialUnilaterally(peer: PeerId): Promise<Connection | undefined> {
    const { addresses } = await node.peerStore.get(peer)
    const known = addresses.map(({ multiaddr }) => multiaddr)
    const dialable = known.filter((address) => isPublic(address) || isNearby(address)).slice(0, MAX_UNILATERAL)
    const dial = (inner: AbortSignal): Promise<Connection> =>
      Promise.any(dialable.map((address) => internals.transportManager.dial(withPeer(address, peer), { signal: inner })))
    if (dialable.length === 0) return undefined
    return withTimeout(clock, UNILATERAL_TIME, 'the dial', dial, { signal: stopping }).catch(() => undefined)
  }

  /** Own addresses at which the other side shall dial. */
  function offered(): readonly Multiaddr[] {
    return observed.believed()
  }

  function punchable({ addresses }: HolePunchMessage & { readonly type: 'connect' }): readonly Multiaddr[] {
    const usable = addresses.filter((address) => isPublic(address) && transport?.canShare(address) === true)
    if (usable.length === 0) throw new Error('the other side named no address that can be dialled from the listening port')
    return usable
  }

  async function punch(peer: PeerId, role: Role, { addresses, begin, signal }: Meeting): Promise<void> {
    if (transport === undefined) throw new Error('ports cannot be shared on this machine')
    const { upgrader } = internals
    await Promise.any(addresses.map((address) => transport.punch(withPeer(address, peer), role, { signal, upgrader, begin })))
  }

  /** One try as "B": measures the way over the relay, so that both dial when the message has arrived at the other side. */
  async function attempt(relayed: Connection, signal: AbortSignal): Promise<void> {
    const own = offered()
    if (own.length === 0) throw new Error('nobody has told the outside address of this node yet')
    const stream = await relayed.newStream(DCUTR_PROTOCOL, { signal, runOnLimitedConnection: true })
    try {
      const messages = createMessageStream(stream, MAX_DCUTR_MESSAGE)
      const sent = clock.now()
      messages.send(encodeHolePunch({ type: 'connect', addresses: own }))
      const addresses = punchable(await receive(messages, 'connect', signal))
      const halfWay = millis((clock.now() - sent) / 2)
      messages.send(encodeHolePunch({ type: 'sync' }))
      const begin = clock.sleep(halfWay, { signal })
      await punch(relayed.remotePeer, 'server', { addresses, begin, signal })
    } finally {
      await stream.close({ signal }).catch((error: unknown) => stream.abort(asError(error)))
    }
  }

  async function retire(peer: PeerId, how: string): Promise<void> {
    const direct = directTo(peer)
    if (direct === undefined) return
    log.info('a relayed connection became a direct one', { peer: `${peer}`, address: `${direct.remoteAddr}`, how })
    await clock.sleep(RETIREMENT, { signal: stopping }).catch(() => undefined) // the node stops: its connections close anyway
    if (directTo(peer) === undefined) return
    const relayed = node.getConnections(peer).filter(({ remoteAddr }) => isRelayed(remoteAddr))
    for (const connection of relayed) await connection.close().catch((error: unknown) => connection.abort(asError(error)))
  }

  const underWay = new Set<string>()

  /** One at a time for each peer: several relayed connections end in the same direct one. */
  async function once(peer: PeerId, work: () => Promise<void>): Promise<void> {
    const name = peer.toString()
    if (underWay.has(name)) return
    underWay.add(name)
    try {
      await work()
    } finally {
      underWay.delete(name)
    }
  }

  async function upgrade(relayed: Connection): Promise<void> {
    const peer = relayed.remotePeer
    if (directTo(peer) !== undefined || (await dialUnilaterally(peer)) !== undefined) return retire(peer, 'dialled')
    for (let tried = 1; relayed.status === 'open' && directTo(peer) === undefined; tried += 1) {
      try {
        await withTimeout(clock, ATTEMPT_TIME, 'the hole punch', (signal) => attempt(relayed, signal), { signal: stopping })
      } catch (error) {
        log.debug('a hole punch failed', { peer: `${peer}`, attempt: tried, error: reason(error) })
        if (tried === ATTEMPTS || stopping.aborted) throw error
        await clock.sleep(PAUSE, { signal: stopping })
      }
    }
    await retire(peer, 'hole punch')
  }

  async function answer(stream: Stream, relayed: Connection): Promise<void> {
    const peer = relayed.remotePeer
    try {
      if (!isRelayed(relayed.remoteAddr)) throw new Error('the connection is direct already')
      const work = async (signal: AbortSignal): Promise<void> => {
        const messages = createMessageStream(stream, MAX_DCUTR_MESSAGE)
        const addresses = punchable(await receive(messages, 'connect', signal))
        const own = offered()
        messages.send(encodeHolePunch({ type: 'connect', addresses: own }))
        const begin = receive(messages, 'sync', signal).then(() => undefined)
        await punch(peer, 'client', { addresses, begin, signal })
        await stream.close({ signal })
      }
      await withTimeout(clock, ATTEMPT_TIME, 'the hole punch', work, { signal: stopping })
    } catch (error) {
      log.debug('a hole punch failed', { peer: `${peer}`, error: reason(error) })
      stream.abort(asError(error))
      return
    }
    await retire(peer, 'hole punch')
  }

  return {
    upgrade: (relayed) => once(relayed.remotePeer, () => upgrade(relayed)),
    async answer(stream, relayed) {
      await once(relayed.remotePeer, () => answer(stream, relayed))
      if (stream.status === 'open') stream.abort(new Error('a hole punch with this peer is under way'))
    }
  }
}

async function receive<Type extends HolePunchMessage['type']>(
  messages: MessageStream,
  type: Type,
  signal: AbortSignal
): Promise<HolePunchMessage & { readonly type: Type }> {
  const message = parseHolePunch(await messages.receive(signal))
  if (!isOfType(message, type)) throw new RangeError(`the other side sent a ${message.type} message, ${type} was due`)
  return message
}

function isOfType<Type extends HolePunchMessage['type']>(
  message: HolePunchMessage,
  type: Type
): message is HolePunchMessage & { readonly type: Type } {
  return message.type === type
}

function withPeer(address: Multiaddr, peer: PeerId): Multiaddr {
  return address.getComponents().some(({ name }) => name === 'p2p') ? address : address.encapsulate(`/p2p/${peer}`)
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(errorMessage(error))
}

function reason(error: unknown): string {
  if (!(error instanceof AggregateError)) return errorMessage(error)
  return error.errors.map(errorMessage).join('; ')
}
