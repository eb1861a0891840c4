import {
  decodeBase64,
  encodeBase64,
  encodeGoJson,
  err,
  fromUtf8,
  type Issue,
  invariant,
  isJsonObject,
  type JsonValue,
  ok,
  parseJson,
  type Result,
  utf8
} from '../base/index.ts'
import { type Handle, handleToJson, isEmptyHandle, parseHandle } from './handle.ts'

/** Largest envelope on the wire, in bytes of its JSON (B §5.3). */
export const MAX_ENVELOPE_BYTES = 1_048_576

/** The largest nonce and expiry. */
export const MAX_U64 = 2n ** 64n - 1n

/** The longest texts in an envelope, in characters. */
export const MAX_TEXT = { behavior: 512, topic: 256 } as const

const EMPTY = new Uint8Array()

/** Before the text of what is signed (B §2.2). */
const SIGNED_PREFIX = 'dms:msg:'

/** A message before or after its journey (B §2.1). `payload` keeps the difference between `null` and empty. */
export interface Envelope {
  readonly to: Handle
  readonly behavior: string
  readonly from: Handle
  readonly nonce: bigint
  /** UNIX nanoseconds. */
  readonly expiresAt: bigint
  /** The behaviour that a reply invokes, `''` when none is wanted. */
  readonly replyTo: string
  /** The topic of a broadcast, else `''`. */
  readonly topic: string
  readonly payload: Uint8Array | null
  /** The JSON text of the token list, as bytes; empty when there is none. */
  readonly capabilities: Uint8Array
  readonly signature: Uint8Array
}

/** Whether the envelope goes to everybody on a topic (B §2.1). */
export function isBroadcast(envelope: Envelope): boolean {
  return envelope.topic !== '' && isEmptyHandle(envelope.to)
}

/** The exact bytes under the signature: `dms:msg:` and the JSON without `sig` (B §2.2). */
export function signedBytes(envelope: Envelope): Uint8Array {
  return signedBytesOf(encodeEnvelope({ ...envelope, signature: EMPTY }))
}

/** The exact bytes under the signature of an envelope, from its text without one. */
function signedBytesOf(unsigned: string): Uint8Array {
  return utf8(`${SIGNED_PREFIX}${unsigned}`)
}

/** The longest signature of a key that an actor can have is one of secp256k1: some 72 bytes. */
const MAX_SIGNATURE = 128

/** What the member of a signature takes: `,"sig":"…"}` around its base64. */
const SIGNATURE_ROOM = 10 + 4 * Math.ceil(MAX_SIGNATURE / 3)

/**
 * The frame of an envelope, from its text without a signature.
 *
 * What is signed is the text with a prefix, so both share one piece of memory: allocating and filling another costs more than
 * writing the signature into this one.
 */
export async function signFrame(
  unsigned: string,
  sign: (message: Uint8Array) => Promise<Uint8Array>
): Promise<{ readonly frame: Uint8Array; readonly signature: Uint8Array }> {
  const text = `${SIGNED_PREFIX}${unsigned}`
  const room = Buffer.allocUnsafe(Buffer.byteLength(text) + SIGNATURE_ROOM)
  const end = room.write(text)
  const signature = await sign(room.subarray(0, end))
  invariant(signature.length <= MAX_SIGNATURE, `an actor signs with at most ${MAX_SIGNATURE} bytes, got ${signature.length}`)
  const size = end - 1 + room.write(`,"sig":"${encodeBase64(signature)}"}`, end - 1)
  return { frame: room.subarray(SIGNED_PREFIX.length, size), signature }
}

/** The JSON text of an envelope, in the key order of B §2.1. */
export function encodeEnvelope(envelope: Envelope): string {
  return encodeWith(envelope, { textOf: handleText, capabilities: encodeBase64(envelope.capabilities) })
}

/** The JSON text of a handle, as it is in an envelope. */
export function handleText(handle: Handle): string {
  return encodeGoJson(handleToJson(handle))
}

/** Parts of the text of an envelope that are the same in many. */
export interface KnownTexts {
  /** As {@link handleText}. */
  readonly textOf: (handle: Handle) => string
  /** The base64 of the token list. */
  readonly capabilities: string
}

/** Like {@link encodeEnvelope}, from parts that are known already. */
export function encodeWith(envelope: Envelope, { textOf, capabilities }: KnownTexts): string {
  const { to, behavior, from, nonce, expiresAt, replyTo, topic, payload, signature } = envelope
  const options = `"exp":${expiresAt}${member('cont', replyTo)}${member('topic', topic)}`
  const content = payload === null ? 'null' : `"${encodeBase64(payload)}"`
  const proof = `${base64Member('cap', capabilities)}${base64Member('sig', encodeBase64(signature))}`
  const head = `{"to":${textOf(to)},"be":${encodeGoJson(behavior)},"from":${textOf(from)},"nonce":${nonce}`
  return `${head},"opt":{${options}},"msg":${content}${proof}}`
}

function member(name: string, text: string): string {
  return text === '' ? '' : `,"${name}":${encodeGoJson(text)}`
}

function base64Member(name: string, text: string): string {
  return text === '' ? '' : `,"${name}":"${text}"`
}

/**
 * Reads an envelope from the wire.
 *
 * White space, member order and unknown members do not matter; the values must be such that they re-encode to what was
 * signed: canonical base64 and base32, integers without loss (B §2.2).
 */
export function decodeEnvelope(frame: Uint8Array | string): Result<Envelope, Issue> {
  const size = typeof frame === 'string' ? Buffer.byteLength(frame) : frame.byteLength
  if (size > MAX_ENVELOPE_BYTES) return err({ path: '', message: `${size} bytes are more than ${MAX_ENVELOPE_BYTES}` })
  const json = parseJson(typeof frame === 'string' ? frame : fromUtf8(frame))
  return json.ok ? parseEnvelope(json.value) : json
}

/** Like {@link decodeEnvelope}, for JSON that is parsed already. */
export function parseEnvelope(value: JsonValue): Result<Envelope, Issue> {
  if (!isJsonObject(value)) return err({ path: '', message: 'an envelope must be an object' })
  const to = parseHandle(value['to'])
  if (!to.ok) return within('to', to.error)
  const from = parseHandle(value['from'])
  if (!from.ok) return within('from', from.error)
  const options = value['opt']
  if (!isJsonObject(options)) return err({ path: 'opt', message: 'must be an object' })
  const parts = {
    behavior: text(value['be'], MAX_TEXT.behavior),
    nonce: unsigned(value['nonce']),
    expiresAt: unsigned(options['exp']),
    replyTo: text(options['cont'], MAX_TEXT.behavior),
    topic: text(options['topic'], MAX_TEXT.topic),
    payload: value['msg'] === null ? null : binary(value['msg']),
    capabilities: binary(value['cap']),
    signature: binary(value['sig'])
  }
  const { behavior, nonce, expiresAt, replyTo, topic, payload, capabilities, signature } = parts
  if (behavior === undefined) return err({ path: 'be', message: 'must be a behaviour path of at most 512 characters' })
  if (nonce === undefined) return err({ path: 'nonce', message: 'must be an unsigned 64-bit integer' })
  if (expiresAt === undefined) return err({ path: 'opt.exp', message: 'must be an unsigned 64-bit integer' })
  if (replyTo === undefined) return err({ path: 'opt.cont', message: 'must be a behaviour path of at most 512 characters' })
  if (topic === undefined) return err({ path: 'opt.topic', message: 'must be a topic of at most 256 characters' })
  if (payload === undefined) return err({ path: 'msg', message: 'must be canonical base64' })
  if (capabilities === undefined) return err({ path: 'cap', message: 'must be canonical base64' })
  if (signature === undefined) return err({ path: 'sig', message: 'must be canonical base64' })
  return ok({
    to: to.value,
    behavior,
    from: from.value,
    nonce,
    expiresAt,
    replyTo,
    topic,
    payload,
    capabilities,
    signature
  })
}

function within(path: string, issue: Issue): Result<never, Issue> {
  return err({ path: issue.path === '' ? path : `${path}.${issue.path}`, message: issue.message })
}

function text(value: JsonValue | undefined, limit: number): string | undefined {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' && value.length <= limit ? value : undefined
}

function unsigned(value: JsonValue | undefined): bigint | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value)
  return typeof value === 'bigint' && value >= 0n && value <= MAX_U64 ? value : undefined
}

function binary(value: JsonValue | undefined): Uint8Array | undefined {
  if (value === undefined || value === null) return EMPTY
  if (typeof value !== 'string') return undefined
  const data = decodeBase64(value)
  return data.ok ? data.value : undefined
}
