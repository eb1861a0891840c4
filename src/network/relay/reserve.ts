import type { Connection } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { type Millis, millis } from '../../base/index.ts'
import { createMessageStream } from '../messages.ts'
import { bytesField, bytesFields, decodeProtobuf, encodeProtobuf, numberField, type ProtobufField } from '../protobuf.ts'

/** The protocol by which relays are asked; peers that list it relay. */
export const HOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/hop'

/** A relay's promise to lead others to this node while the connection to it is open. */
export interface Reservation {
  /** When it ends, if it is not renewed. */
  readonly expiresAt: Millis
  /** Addresses at which the relay says it can be dialled; unchecked, at most {@link MAX_RELAY_ADDRESSES}. */
  readonly addresses: readonly Multiaddr[]
}

/** The relay did not give a reservation; the message has its reason. */
export class ReservationRefusedError extends Error {
  override readonly name = 'ReservationRefusedError'
}

/** More addresses of one relay are not looked at. */
export const MAX_RELAY_ADDRESSES = 16

/** The longest message of the protocol, as in go-libp2p. */
const MAX_MESSAGE = 4096

const RESERVE = 0n
const STATUS = 2n
const OK = 100n

const REASONS: Readonly<Record<string, string>> = {
  200: 'it has no place left',
  201: 'its limits are reached',
  202: 'it does not permit it',
  203: 'the connection failed',
  204: 'there is no reservation',
  400: 'it found the request malformed',
  401: 'it found the request unexpected'
}

/**
 * Asks the relay at the other end of a connection for a reservation (circuit relay v2, RESERVE).
 *
 * @throws ReservationRefusedError, or Error when the relay does not answer in the way of the protocol before the signal is aborted.
 */
export async function reserve(connection: Connection, signal: AbortSignal): Promise<Reservation> {
  const stream = await connection.newStream(HOP_PROTOCOL, { signal })
  try {
    const messages = createMessageStream(stream, MAX_MESSAGE)
    messages.send(encodeProtobuf([{ number: 1, value: RESERVE }]))
    const reservation = parseReservation(await messages.receive(signal))
    await stream.close({ signal })
    return reservation
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

/** Reads the answer of a relay. Throws ReservationRefusedError when it is a refusal, RangeError when it is no answer. */
export function parseReservation(message: Uint8Array): Reservation {
  const fields = fieldsOf(message)
  if (numberField(fields, 1) !== STATUS) throw new RangeError('the relay did not answer with a status')
  const status = numberField(fields, 5)
  if (status !== OK) {
    const reason = REASONS[`${status}`] ?? `status ${status}`
    throw new ReservationRefusedError(`the relay refused a reservation: ${reason}`)
  }
  const reservation = fieldsOf(bytesField(fields, 3) ?? new Uint8Array())
  const expires = numberField(reservation, 1)
  if (expires === undefined) throw new RangeError('the relay gave a reservation without an end')
  const latest = BigInt(Number.MAX_SAFE_INTEGER) / 1000n
  return {
    expiresAt: millis(Number(expires < latest ? expires : latest) * 1000),
    addresses: bytesFields(reservation, 2).slice(0, MAX_RELAY_ADDRESSES).flatMap(parseAddress)
  }
}

function parseAddress(bytes: Uint8Array): readonly Multiaddr[] {
  try {
    return [multiaddr(bytes)]
  } catch {
    return [] // of a kind that is not known here: others will do
  }
}

function fieldsOf(message: Uint8Array): readonly ProtobufField[] {
  const fields = decodeProtobuf(message)
  if (!fields.ok) throw new RangeError(`the relay sent what is no message: ${fields.error}`)
  return fields.value
}
