import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { errorMessage } from '../base/index.ts'
import { BadAddressError } from './errors.ts'

/** An address together with the peer that must answer there. */
export interface PeerAddress {
  readonly address: Multiaddr
  readonly peer: PeerId
}

/** Reads the text form of a peer id. Throws `NETWORK_BAD_ADDRESS`. */
export function parsePeerId(text: string): PeerId {
  try {
    return peerIdFromString(text)
  } catch (cause) {
    throw new BadAddressError(`${shown(text)} is not a peer id: ${errorMessage(cause)}`, { cause })
  }
}

/** Reads `/…/p2p/<peer id>`: the address of a known peer. Throws `NETWORK_BAD_ADDRESS`. */
export function parsePeerAddress(text: string): PeerAddress {
  const address = parseAddress(text)
  const last = address.getComponents().at(-1)
  if (last?.name !== 'p2p' || last.value === undefined) {
    throw new BadAddressError(`${shown(text)} must end in /p2p/<peer id>, so that nobody else can answer there`)
  }
  return { address, peer: parsePeerId(last.value) }
}

/** Configured listen addresses, by what is needed to listen on them. */
export interface ListenAddresses {
  /** TCP and WebSocket addresses, which every node can serve. */
  readonly plain: readonly string[]
  /** QUIC addresses, for which a native part is needed. */
  readonly quic: readonly string[]
}

/** Reads listen addresses. Throws `NETWORK_BAD_ADDRESS` for all but TCP, WebSocket and QUIC ones. */
export function parseListenAddresses(texts: readonly string[]): ListenAddresses {
  const kinds = texts.map((text) => ({ text, kind: listenKind(text) }))
  return {
    plain: kinds.filter(({ kind }) => kind === 'plain').map(({ text }) => text),
    quic: kinds.filter(({ kind }) => kind === 'quic').map(({ text }) => text)
  }
}

const LISTEN_FORMS: Readonly<Record<string, 'plain' | 'quic'>> = { tcp: 'plain', 'tcp/ws': 'plain', 'udp/quic-v1': 'quic' }

function listenKind(text: string): 'plain' | 'quic' {
  const [host, ...rest] = parseAddress(text)
    .getComponents()
    .map(({ name }) => name)
  const kind = LISTEN_FORMS[rest.join('/')]
  if (kind !== undefined && (host === 'ip4' || host === 'ip6')) return kind
  const examples = '/ip4/0.0.0.0/tcp/9000, /ip4/0.0.0.0/udp/9000/quic-v1 or /ip4/0.0.0.0/tcp/9001/ws'
  throw new BadAddressError(`cannot listen on ${shown(text)}: must be like ${examples}; ip6 in place of ip4 for IPv6`)
}

/** Reads addresses to tell others. Throws `NETWORK_BAD_ADDRESS` for those of another peer. */
export function parseAnnouncedAddresses(texts: readonly string[], self: PeerId): readonly string[] {
  return texts.map((text) => {
    const last = parseAddress(text).getComponents().at(-1)
    if (last?.name !== 'p2p' || last.value === self.toString()) return text
    throw new BadAddressError(`cannot announce ${shown(text)}: it names another peer than this node, ${self}`)
  })
}

function parseAddress(text: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (cause) {
    throw new BadAddressError(`${shown(text)} is not a multiaddress: ${errorMessage(cause)}`, { cause })
  }
}

function shown(text: string): string {
  return JSON.stringify(text.length > 400 ? `${text.slice(0, 400)}…` : text)
}
