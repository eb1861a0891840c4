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

/** Configured listen addresses, split into those that this host serves and those it skips. */
export interface ListenAddresses {
  readonly served: readonly string[]
  /** QUIC addresses, which a configuration shared with other nodes may hold. */
  readonly skipped: readonly string[]
}

/** Reads listen addresses. Throws `NETWORK_BAD_ADDRESS` for all but plain TCP and QUIC ones. */
export function parseListenAddresses(texts: readonly string[]): ListenAddresses {
  const kinds = texts.map((text) => ({ text, kind: listenKind(text) }))
  return {
    served: kinds.filter(({ kind }) => kind === 'tcp').map(({ text }) => text),
    skipped: kinds.filter(({ kind }) => kind === 'quic').map(({ text }) => text)
  }
}

function listenKind(text: string): 'tcp' | 'quic' {
  const names = parseAddress(text)
    .getComponents()
    .map(({ name }) => name)
  if (names.includes('quic-v1')) return 'quic'
  if (names.length === 2 && names[1] === 'tcp' && (names[0] === 'ip4' || names[0] === 'ip6')) return 'tcp'
  throw new BadAddressError(`cannot listen on ${shown(text)}: must be like /ip4/0.0.0.0/tcp/9000 or /ip6/::/tcp/9000`)
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
