import { err, type Issue, isJsonObject, type JsonValue, ok, type Result } from '../base/index.ts'
import {
  actorIdOf,
  type Did,
  didOf,
  didOfActorId,
  encodeActorId,
  type KeyPair,
  type PublicKey,
  parseActorId,
  parseDid,
  peerIdOf,
  publicKeyOf,
  publicKeyOfPeerId
} from '../identity/index.ts'

/** The inbox of a node's root actor (B §1.3). */
export const ROOT_INBOX = 'root'

/** Inboxes of clients: the reference's `user-<n>`, so that no client can squat the inbox of an actor (B §11.1, 3). */
const CLIENT_INBOX = /^user-[A-Za-z0-9]{1,64}$/

/** Whether an inbox is one of those that local clients use; all others belong to actors. */
export function isClientInbox(inbox: string): boolean {
  return CLIENT_INBOX.test(inbox)
}

/**
 * The address of one actor (B §1.2).
 *
 * Every member is its wire text; `''` means empty. `id` is the base32 form of the actor's public key.
 */
export interface Handle {
  readonly id: string
  readonly did: string
  readonly host: string
  readonly inbox: string
}

/** The destination of a broadcast. */
export const EMPTY_HANDLE: Handle = Object.freeze({ id: '', did: '', host: '', inbox: '' })

/** Whether all four parts are empty. */
export function isEmptyHandle(handle: Handle): boolean {
  return handle.id === '' && handle.did === '' && handle.host === '' && handle.inbox === ''
}

/** The JSON members of a handle in signing order: `id`, `did`, `addr` (B §1.2). */
export function handleToJson(handle: Handle): object {
  return {
    id: { pub: handle.id },
    did: { uri: optional(handle.did) },
    addr: { host: optional(handle.host), inbox: optional(handle.inbox) }
  }
}

function optional(text: string): string | undefined {
  return text === '' ? undefined : text
}

/**
 * Reads a handle; missing members count as empty.
 *
 * A non-empty `id` must be the canonical text of an Ed25519 or secp256k1 key (A, W5), a non-empty `did` a DID.
 */
export function parseHandle(value: JsonValue | undefined): Result<Handle, Issue> {
  if (!isJsonObject(value)) return err({ path: '', message: 'a handle must be an object with id, did and addr' })
  const { id, did, addr } = value
  const handle = {
    id: textMember(id, 'pub'),
    did: textMember(did, 'uri'),
    host: textMember(addr, 'host'),
    inbox: textMember(addr, 'inbox')
  }
  const { id: idText, did: didText, host, inbox } = handle
  if (idText === undefined || (idText !== '' && !parseActorId(idText).ok)) {
    return err({ path: 'id', message: 'must be {"pub": "<actor id in base32>"}' })
  }
  if (didText === undefined || (didText !== '' && !parseDid(didText).ok)) {
    return err({ path: 'did', message: 'must be {"uri": "did:…"} or {}' })
  }
  if (host === undefined || host.length > 256 || inbox === undefined || inbox.length > 320) {
    return err({ path: 'addr', message: 'must be {"host": "<peer id>", "inbox": "<inbox>"}' })
  }
  return ok({ id: idText, did: didText, host, inbox })
}

function textMember(value: JsonValue | undefined, name: string): string | undefined {
  if (value === undefined || value === null) return ''
  if (!isJsonObject(value)) return undefined
  const member = value[name] ?? ''
  return typeof member === 'string' ? member : undefined
}

/** The handle of the root actor of the node that owns a key. */
export function rootHandleOf(publicKey: PublicKey): Result<Handle, Issue> {
  const id = actorIdOf(publicKey)
  if (!id.ok) return id
  return ok({ id: encodeActorId(id.value), did: didOf(publicKey), host: peerIdOf(publicKey), inbox: ROOT_INBOX })
}

/** The handle of an actor of this process: its own key, the DID of the process, the host of the node. */
export function handleOf(key: KeyPair, did: Did, host: string, inbox: string): Handle {
  return { id: encodeActorId(key.actorId), did, host, inbox }
}

/** A destination as people write it: a DID, a peer id (`12D3KooW…`), or a handle as JSON (B §8.1, 4). */
export function parseDestination(text: string, parseText: (text: string) => Result<JsonValue, Issue>): Result<Handle, Issue> {
  if (text.startsWith('did:')) {
    const did = parseDid(text)
    if (!did.ok) return did
    const key = publicKeyOf(did.value)
    return key.ok ? rootHandleOf(key.value) : key
  }
  if (text.trimStart().startsWith('{')) {
    const json = parseText(text)
    return json.ok ? parseHandle(json.value) : json
  }
  const key = publicKeyOfPeerId(text)
  return key.ok ? rootHandleOf(key.value) : key
}

/** The DID made from the actor's own key: what tokens name as subject and audience (B §1.1). */
export function didOfHandle(handle: Handle): Result<Did, Issue> {
  const id = parseActorId(handle.id)
  return id.ok ? didOfActorId(id.value) : id
}
