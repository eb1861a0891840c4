import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { bytesFields, decodeProtobuf, encodeProtobuf, numberField } from '../protobuf.ts'

/** The protocol by which two nodes agree to dial each other at the same moment (DCUtR). */
export const DCUTR_PROTOCOL = '/libp2p/dcutr'

/** The longest message of the protocol, as in go-libp2p. */
export const MAX_DCUTR_MESSAGE = 4096

/** Addresses of the other side that are dialled. */
const MAX_ADDRESSES = 4

/** A message of the protocol. */
export type HolePunchMessage = { readonly type: 'connect'; readonly addresses: readonly Multiaddr[] } | { readonly type: 'sync' }

const CONNECT = 100n
const SYNC = 300n

/** Writes a message. */
export function encodeHolePunch(message: HolePunchMessage): Uint8Array {
  const addresses = message.type === 'connect' ? message.addresses : []
  return encodeProtobuf([
    { number: 1, value: message.type === 'connect' ? CONNECT : SYNC },
    ...addresses.map(({ bytes }) => ({ number: 2, value: bytes }))
  ])
}

/** Reads a message; addresses of kinds that are not known here are left out. Throws RangeError for what is none. */
export function parseHolePunch(message: Uint8Array): HolePunchMessage {
  const fields = decodeProtobuf(message)
  if (!fields.ok) throw new RangeError(`what was sent is no message: ${fields.error}`)
  const type = numberField(fields.value, 1)
  if (type === SYNC) return { type: 'sync' }
  if (type !== CONNECT) throw new RangeError(`a message of the unknown type ${type}`)
  return { type: 'connect', addresses: bytesFields(fields.value, 2).flatMap(parseAddress).slice(0, MAX_ADDRESSES) }
}

function parseAddress(bytes: Uint8Array): readonly Multiaddr[] {
  try {
    return [multiaddr(bytes)]
  } catch {
    return []
  }
}
