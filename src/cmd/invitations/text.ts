import { createHash } from 'node:crypto'
import {
  bytesEqual,
  createSecret,
  encodeGoJson,
  err,
  fromUtf8,
  type Issue,
  isJsonObject,
  type JsonValue,
  ok,
  parseJson,
  type Random,
  type Result,
  type Secret,
  utf8
} from '../../base/index.ts'
import { actorIdOf, type Did, type KeyPair, keyPairFromSeed, parseDid, peerIdOf, publicKeyOf } from '../../identity/index.ts'
import { decodeToken, encodeToken, type Token } from '../../ucan/index.ts'
import { type Invitation, type Invited, MAX_ADDRESSES, NETWORK_KEYS, type NetworkNames } from './invitation.ts'

/** How every invitation of this version begins. */
export const PREFIX = 'nunet-invite-1-'

/** Longest text of an invitation that is read, in characters. */
const MAX_TEXT = 12_288

/** Bytes of the checksum: a pasted text that lost its end is noticed. Who may be trusted is told by signatures. */
const CHECKSUM_LENGTH = 6

const SEED_LENGTH = 32

/** Longest address, in characters. */
const MAX_ADDRESS = 512

/** Longest name of a network, in characters; the configuration says what they may be. */
const MAX_NETWORK_NAME = 128

const MEMBERS: readonly string[] = ['key', 'to', 'grant', 'machine', 'addresses', 'meet', 'net']

/** The seed of a new bearer key, as {@link bearerKey} reads it. */
export function newBearerSecret(random: Random): Secret {
  return createSecret(encodeBase64Url(random.bytes(SEED_LENGTH)))
}

/** The key of a bearer invitation. */
export function bearerKey(secret: Secret): KeyPair {
  return keyPairFromSeed(decodeBase64Url(secret.reveal()) ?? new Uint8Array())
}

/** The text of an invitation: one line without blanks. */
export function encodeInvitation({ invited, grant, machine, addresses, meetingPoints, network }: Invitation): string {
  const body = encodeGoJson({
    key: invited.type === 'bearer' ? invited.secret.reveal() : undefined,
    to: invited.type === 'named' ? invited.did : undefined,
    grant: tokenToJson(grant),
    machine,
    addresses,
    meet: meetingPoints.length === 0 ? undefined : meetingPoints,
    net: Object.keys(network).length === 0 ? undefined : network
  })
  const bytes = utf8(body)
  return PREFIX + encodeBase64Url(Buffer.concat([bytes, checksumOf(bytes)]))
}

/**
 * Reads an invitation, which may come from anybody: bounded, by schema, nothing unknown; line breaks and blanks that a mail program
 * put in are left out. Signatures are not checked.
 */
export function parseInvitation(text: string): Result<Invitation, Issue> {
  if (text.length > MAX_TEXT) return refuse(`is longer than ${MAX_TEXT} characters`)
  const compact = text.replace(/\s+/g, '')
  if (!compact.startsWith(PREFIX)) return refuse(explainBeginning(compact))
  const code = compact.slice(PREFIX.length)
  if (!/^[\w-]*$/.test(code)) return refuse('has characters that do not belong into it: copy it again')
  const bytes = decodeBase64Url(code) ?? new Uint8Array()
  const body = bytes.subarray(0, -CHECKSUM_LENGTH)
  if (bytes.length <= CHECKSUM_LENGTH || !bytesEqual(checksumOf(body), bytes.subarray(-CHECKSUM_LENGTH))) {
    return refuse('is not complete, or was changed: copy it again, from its beginning to its end')
  }
  return parseBody(body)
}

function explainBeginning(text: string): string {
  const version = /^nunet-invite-(\d{1,6})-/.exec(text)?.[1]
  if (version !== undefined) return `is of version ${version}, this program reads version 1: a newer one may be needed`
  return `must begin with ${PREFIX}`
}

function parseBody(body: Uint8Array): Result<Invitation, Issue> {
  const json = parseJson(fromUtf8(body))
  if (!json.ok || !isJsonObject(json.value)) return refuse('holds no JSON object')
  const members = json.value
  const other = Object.keys(members).find((name) => !MEMBERS.includes(name))
  if (other !== undefined) return refuse(`has the unknown member ${JSON.stringify(other.slice(0, 40))}`)
  const invited = readInvited(members)
  const grant = decodeToken(members['grant'])
  const machine = readDid(members['machine'])
  if (!invited.ok) return invited
  if (!grant.ok) return refuse(`has a bad grant: ${grant.error.message}`)
  if (machine === undefined) return refuse('does not name the machine')
  const peer = peerOf(machine)
  if (peer === undefined) return refuse('names a machine whose key cannot be used')
  const addresses = readAddresses(members['addresses'])
  const meetingPoints = members['meet'] === undefined ? [] : readAddresses(members['meet'])
  if (addresses === undefined || meetingPoints === undefined) {
    return refuse(`must have at most ${MAX_ADDRESSES} addresses, each like /ip4/203.0.113.7/tcp/9000/p2p/<peer id>`)
  }
  const stranger = addresses.find((address) => !address.endsWith(`/p2p/${peer}`))
  if (stranger !== undefined) return refuse(`has an address of another machine: ${stranger}`)
  const network = readNetwork(members['net'] ?? {})
  if (network === undefined) return refuse('has names of a network that cannot be read')
  return checkParties({ invited: invited.value, grant: grant.value, machine, addresses, meetingPoints, network })
}

/** The grant must be a first-hand word for the invited one; who gave it is up to the person who joins. */
function checkParties(invitation: Invitation): Result<Invitation, Issue> {
  const { invited, grant } = invitation
  const subject = invited.type === 'bearer' ? bearerKey(invited.secret).did : invited.did
  if (grant.action !== 'delegate' || grant.chain !== undefined) return refuse('has a grant that is no direct delegation')
  if (grant.subject !== subject) return refuse('has a grant for somebody else')
  if (readDid(grant.issuer) === undefined) return refuse('has a grant without a giver')
  return ok(invitation)
}

function readInvited({ key, to }: { readonly [name: string]: JsonValue }): Result<Invited, Issue> {
  if ((key === undefined) === (to === undefined)) return refuse('must be for whoever has it, or for one DID')
  if (to !== undefined) {
    const did = readDid(to)
    return did === undefined ? refuse('is for a DID that cannot be read') : ok({ type: 'named', did })
  }
  if (typeof key !== 'string' || decodeBase64Url(key)?.length !== SEED_LENGTH) return refuse('has no usable key')
  return ok({ type: 'bearer', secret: createSecret(key) })
}

function readDid(value: unknown): Did | undefined {
  const did = typeof value === 'string' ? parseDid(value) : undefined
  return did?.ok === true ? did.value : undefined
}

/** The peer id of a machine's DID. */
export function peerOf(machine: Did): string | undefined {
  const key = publicKeyOf(machine)
  return key.ok && actorIdOf(key.value).ok ? peerIdOf(key.value) : undefined
}

function readNetwork(value: JsonValue): NetworkNames | undefined {
  if (!isJsonObject(value)) return undefined
  const isKnown = (name: string): boolean => NETWORK_KEYS.some((key) => key === name)
  const isGood = ([name, text]: readonly [string, JsonValue]): boolean =>
    isKnown(name) && typeof text === 'string' && text.length <= MAX_NETWORK_NAME && /^[\w./-]*$/.test(text)
  return Object.entries(value).every(isGood) ? value : undefined
}

function readAddresses(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_ADDRESSES) return undefined
  return value.every(isPeerAddress) ? value : undefined
}

/** Whether a text looks like the address of a peer; the network reads it properly when it dials. */
export function isPeerAddress(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= MAX_ADDRESS &&
    /^(\/[\w.:%~-]{1,255}){2,24}$/.test(value) &&
    /\/p2p\/\w+$/.test(value)
  )
}

function checksumOf(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest().subarray(0, CHECKSUM_LENGTH)
}

function encodeBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}

/** Canonical only. */
function decodeBase64Url(text: string): Uint8Array | undefined {
  if (!/^[\w-]*$/.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

function tokenToJson(token: Token): JsonValue {
  const json = parseJson(encodeToken(token))
  return json.ok ? json.value : null
}

function refuse(complaint: string): Result<never, Issue> {
  return err({ path: '', message: `the invitation ${complaint}` })
}
