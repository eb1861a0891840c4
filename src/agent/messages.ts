import { err, type Issue, isJsonObject, type JsonValue, type Millis, millis, ok, type Result } from '../base/index.ts'
import { type Frame, MAX_BODY } from './frame.ts'

/**
 * Version of the messages between commands and the agent.
 *
 * An agent outlives an update of the program by at most a day; it refuses other versions, and commands then ask for the
 * passphrase. Only `lock` is obeyed whatever the version.
 */
export const PROTOCOL_VERSION = 1

/** Longest time that a key stays unlocked: a day. */
export const MAX_LIFETIME = millis(86_400_000)

type JsonObject = { readonly [name: string]: JsonValue }

/** What a command asks of the agent. */
export type AgentRequest =
  | { readonly type: 'list' }
  | { readonly type: 'find'; readonly name: string }
  | { readonly type: 'sign'; readonly name: string; readonly did: string; readonly message: Uint8Array }
  | ({ readonly type: 'unlock' } & KeyToUnlock)
  /** Without a name: all keys. */
  | { readonly type: 'lock'; readonly name?: string }

/** A key that the agent shall hold. */
export interface KeyToUnlock {
  readonly name: string
  /** The absolute path of its file. */
  readonly path: string
  /** SHA-256 of the file's text, in hexadecimal: the key counts only while the file has it. */
  readonly digest: string
  /** The libp2p protobuf form. */
  readonly privateKey: Uint8Array
  readonly lifetime: Millis
}

/** A key that the agent holds. */
export interface UnlockedKey {
  readonly name: string
  readonly did: string
  /** How long it still holds it. */
  readonly remaining: Millis
}

/** Header and body of a request. */
export function encodeRequest(request: AgentRequest): { readonly header: JsonValue; readonly body?: Uint8Array } {
  const version = PROTOCOL_VERSION
  switch (request.type) {
    case 'list':
      return { header: { version, type: 'list' } }
    case 'find':
      return { header: { version, type: 'find', name: request.name } }
    case 'sign':
      return { header: { version, type: 'sign', name: request.name, did: request.did }, body: request.message }
    case 'unlock': {
      const { name, path, digest, lifetime, privateKey } = request
      return { header: { version, type: 'unlock', name, path, digest, lifetime_ms: lifetime }, body: privateKey }
    }
    case 'lock':
      return { header: { version, type: 'lock', ...(request.name === undefined ? {} : { name: request.name }) } }
  }
}

/** Reads a request; refuses what is too long, of another version or unknown. */
export function parseRequest({ header, body }: Frame): Result<AgentRequest, Issue> {
  if (!isJsonObject(header)) return refuse('', 'must be an object')
  const { version, type, name } = header
  if (type !== 'lock' && version !== PROTOCOL_VERSION) return refuse('version', `must be ${PROTOCOL_VERSION}`)
  if (type === 'list' || (type === 'lock' && name === undefined)) return ok({ type })
  if (!isText(name, 64)) return refuse('name', 'must be a text of 1 to 64 characters')
  switch (type) {
    case 'find':
    case 'lock':
      return ok({ type, name })
    case 'sign': {
      const { did } = header
      return isText(did, 256) ? ok({ type, name, did, message: body }) : refuse('did', 'must be a DID')
    }
    case 'unlock':
      return parseUnlock(name, header, body)
    default:
      return refuse('type', 'is unknown')
  }
}

function parseUnlock(name: string, header: JsonObject, privateKey: Uint8Array): Result<AgentRequest, Issue> {
  const { path, digest, lifetime_ms: lifetime } = header
  if (!isText(path, 4096) || !path.startsWith('/')) return refuse('path', 'must be an absolute path')
  if (!isText(digest, 64) || !/^[0-9a-f]{64}$/.test(digest)) return refuse('digest', 'must be a SHA-256 in hexadecimal')
  if (typeof lifetime !== 'number' || !(lifetime > 0 && lifetime <= MAX_LIFETIME)) {
    return refuse('lifetime_ms', `must be more than 0 and at most ${MAX_LIFETIME}`)
  }
  return ok({ type: 'unlock', name, path, digest, privateKey, lifetime: millis(lifetime) })
}

/** What the agent answers. */
export type AgentReply =
  | { readonly ok: true; readonly keys?: readonly UnlockedKey[]; readonly signature?: Uint8Array }
  | { readonly ok: false; readonly reason: RefusalReason; readonly message: string }

/** `locked`: it does not hold the key; `refused`: it cannot read the request, or will not do it. */
export type RefusalReason = 'locked' | 'refused'

/** Header and body of a reply. */
export function encodeReply(reply: AgentReply): { readonly header: JsonValue; readonly body?: Uint8Array } {
  const version = PROTOCOL_VERSION
  if (!reply.ok) return { header: { version, ok: false, reason: reply.reason, message: reply.message } }
  const keys = reply.keys?.map(({ name, did, remaining }) => ({ name, did, remaining_ms: remaining }))
  return {
    header: { version, ok: true, ...(keys === undefined ? {} : { keys }) },
    ...(reply.signature === undefined ? {} : { body: reply.signature })
  }
}

/** Reads a reply. */
export function parseReply({ header, body }: Frame): Result<AgentReply, Issue> {
  if (!isJsonObject(header)) return refuse('', 'must be an object')
  if (header['ok'] === false) {
    const { reason, message } = header
    return isText(message, MAX_BODY)
      ? ok({ ok: false, reason: reason === 'locked' ? 'locked' : 'refused', message })
      : refuse('message', 'is missing')
  }
  if (header['ok'] !== true) return refuse('ok', 'must be true or false')
  const keys = header['keys'] ?? []
  if (!Array.isArray(keys)) return refuse('keys', 'must be a list')
  const found = (keys as readonly JsonValue[]).map(readKey)
  const held = found.filter((key) => key !== undefined)
  return held.length === found.length ? ok({ ok: true, keys: held, signature: body }) : refuse('keys', 'holds what is no key')
}

function readKey(value: JsonValue): UnlockedKey | undefined {
  if (!isJsonObject(value)) return undefined
  const { name, did, remaining_ms: remaining } = value
  if (!isText(name, 64) || !isText(did, 256) || typeof remaining !== 'number') return undefined
  return { name, did, remaining: millis(remaining) }
}

function isText(value: JsonValue | undefined, limit: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= limit
}

function refuse(path: string, message: string): Result<never, Issue> {
  return err({ path, message })
}
