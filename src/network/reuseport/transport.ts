import type { Connection, CreateListenerOptions, DialTransportOptions, Listener, Transport, Upgrader } from '@libp2p/interface'
import { type TCPComponents, type TCPOptions, tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import { CancelledError, errorMessage, type Logger } from '../../base/index.ts'
import { untilDone } from '../dial-signal.ts'
import { type Endpoint, type PortSharing, SystemCallError } from './system-calls.ts'

/** What libp2p hands to a transport when it dials. */
export type DialOptions = DialTransportOptions

/** The dial of one side while the other dials too. */
export interface PunchOptions extends DialOptions {
  /** Resolves when the dial shall leave; from the call on, the dial of the other side is expected at the listeners. */
  readonly begin: Promise<void>
}

/** Which end of a new connection this node plays: who speaks first in the handshakes. */
export type Role = 'client' | 'server'

/** A TCP transport that can dial from the port it listens on, so that a router gives both the same outside address. */
export interface SharingTransport {
  /** For libp2p's list of transports. */
  readonly factory: (components: TCPComponents) => Transport
  /**
   * Dials from the listening port; for hole punching.
   *
   * @param role - `server` waits for the other side's handshake: of two nodes that dial each other at once, one must.
   * @throws Error when the port cannot be shared with that address (`canShare`). AggregateError when the signal is aborted before
   * the address was reached, or it reached this node.
   */
  punch(address: Multiaddr, role: Role, options: PunchOptions): Promise<Connection>
  /** Whether there is a listener from whose port that address could be dialled. */
  canShare(address: Multiaddr): boolean
  /** Whether the connection was dialled from the listening port: what the other side saw of it is what it sees of the listener. */
  sharesPort(connection: Connection): boolean
}

/** What a sharing transport needs. */
export interface SharingOptions {
  readonly sharing: PortSharing
  /** Whether an ordinary dial of that address shall leave from the listening port too. */
  readonly shared: (address: Multiaddr) => boolean
  readonly tcp: TCPOptions
  readonly log: Logger
}

/** What the transport of libp2p takes beyond its types: it hands them on to `net.connect`. */
interface BoundSocket {
  readonly fd: number
  /** Nothing can be read before the connection is there. */
  readonly manualStart: true
}

/** Creates a {@link SharingTransport}. Its listeners share their port with nothing but its own dials. */
export function createSharingTransport({ sharing, shared, tcp: options, log }: SharingOptions): SharingTransport {
  const listening = new Set<Endpoint>()
  const sharedConnections = new WeakSet<Connection>()
  const expected = new Map<string, Expectation>()
  let plainDial: Dial | undefined

  function listenerFor(address: Multiaddr): Endpoint | undefined {
    const target = endpointOf(address)
    if (target === undefined) return undefined
    return [...listening].find(({ host }) => sameFamily(host, target.host) && isLoopback(host) === isLoopback(target.host))
  }

  async function dialShared(inner: Dial, from: Endpoint, address: Multiaddr, dialOptions: DialOptions): Promise<Connection> {
    dialOptions.signal.throwIfAborted() // from here to the connect there is no pause in which the socket could be lost
    const bound: BoundSocket = { fd: sharing.bind(from), manualStart: true }
    const connection = await untilDone(dialOptions.signal, (signal) => inner(address, { ...dialOptions, ...bound, signal }))
    sharedConnections.add(connection)
    return connection
  }

  /** An ordinary dial never fails for want of the port: it then leaves from another. */
  async function dialWherePossible(inner: Dial, address: Multiaddr, dialOptions: DialOptions): Promise<Connection> {
    const from = shared(address) ? listenerFor(address) : undefined
    if (from === undefined) return inner(address, dialOptions)
    try {
      return await dialShared(inner, from, address, dialOptions)
    } catch (error) {
      if (dialOptions.signal.aborted || !isPortTrouble(error)) throw error
      log.debug('dialled from another port than the listening one', { address: `${address}`, error: errorMessage(error) })
      return inner(address, dialOptions)
    }
  }

  function factory(components: TCPComponents): Transport {
    const transport = tcp(options)(components)
    const inner: Dial = transport.dial.bind(transport)
    const createListener = transport.createListener.bind(transport)
    transport.dial = (address: Multiaddr, dialOptions: DialOptions) => dialWherePossible(inner, address, dialOptions)
    transport.createListener = (listenOptions) => sharingListener(createListener, listenOptions)
    plainDial = inner
    return transport
  }

  function sharingListener(create: Transport['createListener'], listenOptions: CreateListenerOptions): Listener {
    const listener = create({ ...listenOptions, upgrader: meetingUpgrader(listenOptions.upgrader) })
    const listen = listener.listen.bind(listener)
    let endpoint: Endpoint | undefined
    listener.listen = async (address) => {
      const at = endpointOf(address)
      const context: unknown = Reflect.get(listener, 'context')
      if (at === undefined || typeof context !== 'object' || context === null) return listen(address)
      Reflect.set(context, 'fd', sharing.listen(at))
      await listen(address)
      endpoint = { host: at.host, port: portOf(listener) ?? at.port }
      listening.add(endpoint)
    }
    listener.addEventListener('close', () => {
      if (endpoint !== undefined) listening.delete(endpoint)
    })
    return listener
  }

  /** The dial of the other side may arrive at the listener before this side's has begun: it is then the connection both want. */
  function meetingUpgrader(upgrader: Upgrader): Upgrader {
    const meeting: Pick<Upgrader, 'upgradeInbound'> = {
      async upgradeInbound(connection, options) {
        const key = keyOf(connection.remoteAddr)
        const expectation = expected.get(key)
        if (expectation === undefined) return upgrader.upgradeInbound(connection, options)
        expected.delete(key) // once: who is there by right and was not meant gets through the next time at the latest
        const { address, role, signal, met, failed } = expectation
        // The side that is spoken to can serve whoever it is; the one that speaks first must name whom it wants.
        if (role === 'client') Object.assign(connection, { remoteAddr: address })
        try {
          const opened = await upgraderFor(role, upgrader).upgradeOutbound(connection, { signal })
          if (opened.remotePeer.toString() === peerOf(address)) met(opened)
        } catch (error) {
          failed(error)
          throw error
        }
      }
    }
    return Object.assign(Object.create(upgrader) as Upgrader, meeting)
  }

  /**
   * Resolves with a connection from that address that arrives at a listener before the signal is aborted.
   *
   * Whoever wants to meet names the address, which can be anybody's: so only the first connection from there is taken for the other side's.
   */
  function meet(address: Multiaddr, role: Role, signal: AbortSignal): Promise<Connection> {
    return new Promise<Connection>((met, failed) => {
      const key = keyOf(address)
      if (!expected.has(key)) expected.set(key, { address, role, signal, met, failed })
      signal.addEventListener('abort', () => failed(new CancelledError(`nothing came from ${address}`)), { once: true })
    })
  }

  return {
    factory,
    canShare: (address) => listenerFor(address) !== undefined,
    sharesPort: (connection) => sharedConnections.has(connection),
    async punch(address, role, { begin, ...dialOptions }) {
      const from = listenerFor(address)
      const inner = plainDial
      if (inner === undefined || from === undefined) throw new Error(`no listening port can be shared with ${address}`)
      const upgrader = upgraderFor(role, dialOptions.upgrader)
      try {
        return await Promise.any([
          meet(address, role, dialOptions.signal),
          begin.then(() => dialShared(inner, from, address, { ...dialOptions, upgrader }))
        ])
      } finally {
        if (expected.get(keyOf(address))?.signal === dialOptions.signal) expected.delete(keyOf(address))
      }
    }
  }
}

type Dial = (address: Multiaddr, options: DialOptions) => Promise<Connection>

/** A punch that waits for the other side to come through. */
interface Expectation {
  /** With the peer id, which the handshake proves. */
  readonly address: Multiaddr
  readonly role: Role
  readonly signal: AbortSignal
  readonly met: (connection: Connection) => void
  readonly failed: (reason: unknown) => void
}

/**
 * Makes an upgrader play a role whoever opened the socket. The upgrader of libp2p lets a dialler be the server of the handshakes,
 * but the multiplexer looks at the direction of the socket.
 */
function upgraderFor(role: Role, upgrader: Upgrader): Upgrader {
  const playing: Pick<Upgrader, 'upgradeOutbound'> = {
    upgradeOutbound: (connection, options) => {
      connection.direction = role === 'client' ? 'outbound' : 'inbound'
      return upgrader.upgradeOutbound(connection, { ...options, initiator: role === 'client' })
    }
  }
  return Object.assign(Object.create(upgrader) as Upgrader, playing)
}

function peerOf(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(({ name }) => name === 'p2p')?.value
}

/** Address and port, without the peer. */
function keyOf(address: Multiaddr): string {
  const endpoint = endpointOf(address)
  return endpoint === undefined ? '' : `${endpoint.host} ${endpoint.port}`
}

/** The first IP address and port of a plain TCP address; of names and of addresses with a zone there is none. */
function endpointOf(address: Multiaddr): Endpoint | undefined {
  const [ip, tcpPart] = address.getComponents()
  if (tcpPart?.name !== 'tcp' || (ip?.name !== 'ip4' && ip?.name !== 'ip6')) return undefined
  return ip.value === undefined ? undefined : { host: ip.value, port: Number(tcpPart.value) }
}

function portOf(listener: Listener): number | undefined {
  const [address] = listener.getAddrs()
  return address === undefined ? undefined : endpointOf(address)?.port
}

function sameFamily(one: string, other: string): boolean {
  return one.includes(':') === other.includes(':')
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.')
}

/** The port or this very connection is in use, for example still in TIME_WAIT. */
function isPortTrouble(error: unknown): boolean {
  if (error instanceof SystemCallError) return true
  return error instanceof Error && /\b(EADDRNOTAVAIL|EADDRINUSE|EINVAL)\b/.test(error.message)
}
