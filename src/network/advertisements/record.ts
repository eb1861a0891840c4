import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import {
  type Bytes,
  bytes,
  err,
  errorMessage,
  fromUtf8,
  hours,
  type Millis,
  minutes,
  ok,
  type Result,
  utf8
} from '../../base/index.ts'
import { bytesField, decodeProtobuf, encodeProtobuf, numberField } from '../protobuf.ts'

/** What one node says under a key: `Advertisement` of the reference (B §5.2). */
export interface Advertisement {
  readonly peer: string
  /** Unix seconds. */
  readonly timestamp: bigint
  /** Empty: it has nothing to say any more. */
  readonly data: Uint8Array
}

/** The largest data and record. */
export const MAX_ADVERTISED_DATA: Bytes = bytes(8192)
const MAX_RECORD = MAX_ADVERTISED_DATA + 512

/** A record counts so long after it was made, and may be so far ahead of our clock. */
const LIFE = hours(48)
const SKEW = minutes(10)

/** The key of a record: `/nunet-dht-1/-relay-12D3…`. */
export function recordKey(namespace: string, key: string, peer: string): Uint8Array {
  return utf8(`/${namespace}/-${key}-${peer}`)
}

/** Makes a signed record. */
export async function signAdvertisement(privateKey: PrivateKey, { peer, timestamp, data }: Advertisement): Promise<Uint8Array> {
  const publicKey = privateKey.publicKey.raw
  const signature = await privateKey.sign(signedBytes({ peer, timestamp, data }, publicKey))
  return encodeProtobuf([
    { number: 1, value: utf8(peer) },
    { number: 2, value: timestamp },
    ...(data.length === 0 ? [] : [{ number: 3, value: data }]),
    { number: 4, value: signature },
    { number: 5, value: publicKey }
  ])
}

/** What a record is held against. */
export interface RecordCheck {
  readonly namespace: string
  readonly now: Millis
}

/**
 * Reads a record under its key and checks all of it: the key ends in the peer that signed, its public key is the one that the peer id is
 * made from, the signature verifies, and it is neither old nor from the future. An empty record, which deletes for everybody in the
 * reference, is none: a node takes its own back with a signed one without data. The signature covers only the low byte of the timestamp
 * (B §11.1.9), so that a copied record lives 48 h at most, and then only where its time was forged in steps of 256 s.
 */
export async function readAdvertisement(
  key: Uint8Array,
  record: Uint8Array,
  { namespace, now }: RecordCheck
): Promise<Result<Advertisement, string>> {
  if (record.length > MAX_RECORD) return err(`the record has ${record.length} bytes, at most ${MAX_RECORD} are read`)
  const parsed = parse(record)
  if (!parsed.ok) return parsed
  const { peer, timestamp, data, signature, publicKey } = parsed.value
  const text = fromUtf8(key)
  if (!text.startsWith(`/${namespace}/-`) || !text.endsWith(`-${peer}`))
    return err('the key does not name the peer of the record')
  const made = Number(timestamp) * 1000
  if (made > now + SKEW || made < now - LIFE) return err('the record is too old, or from the future')
  try {
    const signer = publicKeyFromRaw(publicKey)
    if (!peerIdFromPublicKey(signer).equals(peer)) return err('the public key is not that of the peer')
    const isGood = await signer.verify(signedBytes({ peer, timestamp, data }, publicKey), signature)
    return isGood ? ok({ peer, timestamp, data }) : err('the signature does not verify')
  } catch (error) {
    return err(`the public key cannot be used: ${errorMessage(error)}`)
  }
}

/** The time that a record tells; not checked. */
export function timestampOf(record: Uint8Array): bigint {
  const parsed = parse(record)
  return parsed.ok ? parsed.value.timestamp : -1n
}

interface ParsedRecord extends Advertisement {
  readonly signature: Uint8Array
  readonly publicKey: Uint8Array
}

function parse(record: Uint8Array): Result<ParsedRecord, string> {
  const fields = decodeProtobuf(record)
  if (!fields.ok) return fields
  const [peer, data = new Uint8Array(0)] = [bytesField(fields.value, 1), bytesField(fields.value, 3)]
  const [signature, publicKey] = [bytesField(fields.value, 4), bytesField(fields.value, 5)]
  const timestamp = numberField(fields.value, 2)
  if (peer === undefined || signature === undefined || publicKey === undefined || timestamp === undefined) {
    return err('the record lacks its peer, time, signature or public key')
  }
  return ok({ peer: fromUtf8(peer), timestamp: BigInt.asIntN(64, timestamp), data, signature, publicKey })
}

function signedBytes({ peer, timestamp, data }: Advertisement, publicKey: Uint8Array): Uint8Array {
  return Buffer.concat([utf8(peer), Uint8Array.of(Number(timestamp & 0xffn)), data, publicKey])
}
