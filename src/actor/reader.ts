import { decodeBase64, encodeGoJson, fromUtf8, type Issue, ok, parseJson, type Result } from '../base/index.ts'
import { type ActorId, type Did, didOfActorId, parseActorId } from '../identity/index.ts'
import { parseTokenList, type Token } from '../ucan/index.ts'
import { type CanonicalText, scanCanonical } from './canonical.ts'
import { decodeEnvelope, type Envelope, MAX_ENVELOPE_BYTES, MAX_TEXT, MAX_U64, signedBytes } from './envelope.ts'
import { type Handle, handleToJson, parseHandle } from './handle.ts'
import { createMemory, type Memory } from './memory.ts'

/** An envelope as it came, of which nothing is believed yet. */
export interface ReadEnvelope {
  readonly envelope: Envelope
  /** The bytes that its signature must cover; they are good until the next envelope is read. */
  signed(): Uint8Array
  /** The actor that claims to have sent it. */
  sender(): Result<ActorKey, Issue>
  /** The actor that it is for. */
  receiver(): Result<ActorKey, Issue>
  /** The tokens in it; the list of an accepted one may be the very same objects as in an earlier one. */
  tokens(): Result<readonly Token[], Issue>
  /**
   * Remembers what it has in common with others; for accepted ones only: who may send anything is not to push out what is known
   * of others.
   */
  remember(): void
}

/** An actor by its key. */
export interface ActorKey {
  readonly id: ActorId
  /** The DID of its own key. */
  readonly did: Did
}

/** Reads envelopes, and remembers of accepted ones what the next ones are likely to have too. */
export interface EnvelopeReader {
  /** Like `decodeEnvelope`, only faster. */
  read(frame: Uint8Array): Result<ReadEnvelope, Issue>
}

/** Handles that are remembered of receivers, and of senders: about 1 kB each. */
const MAX_HANDLES = 256

/** Lists of tokens that are remembered, and characters of all of them. */
const MAX_LISTS = 512
const MAX_LIST_CHARACTERS = 4_194_304

/** Most envelopes are shorter; allocating a copy of each costs more than writing it. */
const SCRATCH_BYTES = 65_536

const PREFIX = Buffer.from('dms:msg:')
const NO_PAYLOAD = ok(null)
const EMPTY_PAYLOAD = ok(new Uint8Array())
const CLOSING_BRACE = 0x7d

/** Every character is one byte in UTF-8, and none is a backslash. */
const UNESCAPED = /^[ -[\]-~]*$/

interface KnownHandle {
  readonly handle: Handle
  readonly key: () => Result<ActorKey, Issue>
  /** The list that came last from there: finding it by comparing is cheaper than by its hash. */
  last?: KnownList
}

interface KnownList {
  readonly text: string
  readonly bytes: Uint8Array
  readonly tokens: () => Result<readonly Token[], Issue>
}

/** Creates a reader that knows nobody. */
export function createEnvelopeReader(): EnvelopeReader {
  const createHandles = (): Memory<KnownHandle> => createMemory({ entries: MAX_HANDLES, characters: Number.POSITIVE_INFINITY })
  // Apart, because the ones that come again and again take turns.
  const receivers = createHandles()
  const senders = createHandles()
  const scratch = Buffer.alloc(SCRATCH_BYTES)
  const lists = createMemory<KnownList>({ entries: MAX_LISTS, characters: MAX_LIST_CHARACTERS })

  function listFrom({ last }: KnownHandle, text: string): KnownList | undefined {
    return last?.text === text ? last : (lists.get(text) ?? readList(text))
  }

  function remember({ to, from }: CanonicalText, receiver: KnownHandle, sender: KnownHandle, list: KnownList): void {
    if (receivers.get(to) === undefined) receivers.set(detached(to), receiver)
    if (senders.get(from) === undefined) senders.set(detached(from), sender)
    if (list.text === '' || sender.last === list) return
    const kept = lists.get(list.text) ?? { ...list, text: detached(list.text) }
    lists.set(kept.text, kept)
    sender.last = kept
  }

  function readCanonical(frame: Uint8Array): ReadEnvelope | undefined {
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
    const text = scanCanonical(bytes.toString('latin1'))
    if (text === undefined) return undefined
    const to = receivers.get(text.to) ?? readHandle(text.to)
    const from = senders.get(text.from) ?? readHandle(text.from)
    if (to === undefined || from === undefined) return undefined
    const list = listFrom(from, text.capabilities)
    if (list === undefined) return undefined
    const envelope = envelopeOf(text, { to: to.handle, from: from.handle, capabilities: list.bytes })
    if (envelope === undefined) return undefined
    return {
      envelope,
      signed: () => signedPart(bytes, text.signedLength, scratch),
      sender: from.key,
      receiver: to.key,
      tokens: list.tokens,
      remember: () => remember(text, to, from, list)
    }
  }

  return {
    read(frame) {
      const canonical = frame.byteLength <= MAX_ENVELOPE_BYTES ? readCanonical(frame) : undefined
      return canonical === undefined ? readAny(frame) : ok(canonical)
    }
  }
}

/** What is signed of a canonical text: all of it but the signature. Written to `scratch` where it fits. */
function signedPart(bytes: Buffer, length: number, scratch: Buffer): Uint8Array {
  const end = PREFIX.length + length
  const signed = end < scratch.length ? scratch.subarray(0, end + 1) : Buffer.allocUnsafe(end + 1)
  signed.set(PREFIX, 0)
  bytes.copy(signed, PREFIX.length, 0, length)
  signed[end] = CLOSING_BRACE
  return signed
}

/** A copy: a part of a text keeps the whole of it in memory. */
function detached(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** Reads an envelope by parsing it and encoding it again, whatever its text looks like. */
export function readAny(frame: Uint8Array): Result<ReadEnvelope, Issue> {
  const decoded = decodeEnvelope(frame)
  if (!decoded.ok) return decoded
  const envelope = decoded.value
  return ok({
    envelope,
    signed: () => signedBytes(envelope),
    sender: () => actorKeyOf(envelope.from),
    receiver: () => actorKeyOf(envelope.to),
    tokens: () => tokensOf(envelope.capabilities),
    remember: () => undefined
  })
}

/** A handle whose text is the canonical one of a good handle. */
function readHandle(text: string): KnownHandle | undefined {
  const json = UNESCAPED.test(text) ? parseJson(text) : undefined
  const handle = json?.ok === true ? parseHandle(json.value) : undefined
  if (handle?.ok !== true || encodeGoJson(handleToJson(handle.value)) !== text) return undefined
  const { value } = handle
  return { handle: value, key: once(() => actorKeyOf(value)) }
}

function readList(text: string): KnownList | undefined {
  const bytes = decodeBase64(text)
  return bytes.ok ? { text, bytes: bytes.value, tokens: once(() => tokensOf(bytes.value)) } : undefined
}

function envelopeOf(text: CanonicalText, parts: Pick<Envelope, 'to' | 'from' | 'capabilities'>): Envelope | undefined {
  const { behavior, replyTo, topic } = text
  if (behavior.length > MAX_TEXT.behavior || replyTo.length > MAX_TEXT.behavior || topic.length > MAX_TEXT.topic) return undefined
  const [nonce, expiresAt] = [BigInt(text.nonce), BigInt(text.expiresAt)]
  if (nonce > MAX_U64 || expiresAt > MAX_U64) return undefined
  const payload = text.payload === null ? NO_PAYLOAD : text.payload === '' ? EMPTY_PAYLOAD : decodeBase64(text.payload)
  const signature = decodeBase64(text.signature)
  if (!payload.ok || !signature.ok) return undefined
  return { ...parts, behavior, nonce, expiresAt, replyTo, topic, payload: payload.value, signature: signature.value }
}

function actorKeyOf(handle: Handle): Result<ActorKey, Issue> {
  const id = parseActorId(handle.id)
  if (!id.ok) return id
  const did = didOfActorId(id.value)
  return did.ok ? ok({ id: id.value, did: did.value }) : did
}

function tokensOf(capabilities: Uint8Array): Result<readonly Token[], Issue> {
  return capabilities.length === 0 ? ok([]) : parseTokenList(fromUtf8(capabilities))
}

/** The same work, done at most once. */
function once<T extends object>(work: () => T): () => T {
  let done: T | undefined
  return () => {
    done ??= work()
    return done
  }
}
