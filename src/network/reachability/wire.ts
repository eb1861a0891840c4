import { bytesField, bytesFields, decodeProtobuf, encodeProtobuf, numberField } from '../protobuf.ts'

/** The protocol of AutoNAT 1. */
export const AUTONAT_PROTOCOL = '/libp2p/autonat/1.0.0'

/** The largest message of either side. */
export const MAX_AUTONAT_MESSAGE = 8192

/** What a node is asked to dial: the peer that asks, at addresses that it believes to have. */
export interface DialRequest {
  readonly peer: Uint8Array
  readonly addresses: readonly Uint8Array[]
}

/** How a dial back ended. */
export type DialStatus = 'ok' | 'dial-error' | 'refused' | 'bad-request' | 'internal-error'

/** The answer to a {@link DialRequest}. */
export interface DialResponse {
  readonly status: DialStatus
  readonly text: string
  /** Where the peer was reached. */
  readonly address?: Uint8Array
}

const STATUS_NUMBERS: Readonly<Record<DialStatus, bigint>> = {
  ok: 0n,
  'dial-error': 100n,
  refused: 101n,
  'bad-request': 200n,
  'internal-error': 300n
}
const STATUSES: readonly DialStatus[] = ['ok', 'dial-error', 'refused', 'bad-request', 'internal-error']

const DIAL = 0n
const DIAL_RESPONSE = 1n

/** Writes a request as a protobuf `Message`. */
export function encodeDialRequest({ peer, addresses }: DialRequest): Uint8Array {
  const info = encodeProtobuf([{ number: 1, value: peer }, ...addresses.map((value) => ({ number: 2, value }))])
  return encodeProtobuf([
    { number: 1, value: DIAL },
    { number: 2, value: encodeProtobuf([{ number: 1, value: info }]) }
  ])
}

/** Reads a request; undefined when it is none. */
export function decodeDialRequest(message: Uint8Array): DialRequest | undefined {
  const info = nested(nested(message, 2), 1)
  if (info === undefined) return undefined
  const fields = decodeProtobuf(info)
  const peer = fields.ok ? bytesField(fields.value, 1) : undefined
  return fields.ok && peer !== undefined ? { peer, addresses: bytesFields(fields.value, 2) } : undefined
}

/** Writes an answer as a protobuf `Message`. */
export function encodeDialResponse({ status, text, address }: DialResponse): Uint8Array {
  const response = encodeProtobuf([
    { number: 1, value: STATUS_NUMBERS[status] },
    { number: 2, value: Buffer.from(text) },
    ...(address === undefined ? [] : [{ number: 3, value: address }])
  ])
  return encodeProtobuf([
    { number: 1, value: DIAL_RESPONSE },
    { number: 3, value: response }
  ])
}

/** Reads an answer; undefined when it is none. */
export function decodeDialResponse(message: Uint8Array): DialResponse | undefined {
  const response = nested(message, 3)
  if (response === undefined) return undefined
  const fields = decodeProtobuf(response)
  if (!fields.ok) return undefined
  const number = numberField(fields.value, 1) ?? 0n
  const status = STATUSES.find((known) => STATUS_NUMBERS[known] === number)
  const address = bytesField(fields.value, 3)
  if (status === undefined) return undefined
  const text = Buffer.from(bytesField(fields.value, 2) ?? []).toString('utf8')
  return address === undefined ? { status, text } : { status, text, address }
}

function nested(message: Uint8Array | undefined, number: number): Uint8Array | undefined {
  if (message === undefined) return undefined
  const fields = decodeProtobuf(message)
  return fields.ok ? bytesField(fields.value, number) : undefined
}
