import {
  bytesEqual,
  decodeBase64,
  encodeBase64,
  encodeGoJson,
  err,
  type Issue,
  isJsonObject,
  ok,
  parseJson,
  type Result,
  utf8
} from '../base/index.ts'
import { isWireCapability, isWireText } from './capability.ts'
import type { Token } from './types.ts'

/** The reference refuses longer token lists (A §8.2 *consume*). */
export const MAX_TOKEN_LIST_BYTES = 16_384

/** Tokens of one list. */
export const MAX_TOKENS = 64

/** Links of one chain, the token itself included. */
export const MAX_LINKS = 16

/** Capabilities, and topics, of one token. */
const MAX_CAPABILITIES = 64

const MAX_INT64 = 2n ** 63n - 1n
const MAX_UINT64 = 2n ** 64n - 1n

/** A token before it is signed. */
export type UnsignedToken = Omit<Token, 'signature'>

/** The text of one token, `{"dms":{…}}`, byte for byte as the reference writes it (A §7.1). */
export function encodeToken(token: Token): string {
  return encodeGoJson(wireToken(token))
}

/** The text of a token list, `{"tok":[…]}`; the empty list is `{}`. */
export function encodeTokenList(tokens: readonly Token[]): string {
  return tokens.length === 0 ? '{}' : `{"tok":[${tokens.map(encodeToken).join(',')}]}`
}

/** The bytes that the signature of a token covers (A §7.2); chained tokens are in it with their signatures. */
export function signedBytes(token: UnsignedToken): Uint8Array {
  return utf8(`dms:token:${encodeGoJson(wireMembers(token, NO_BYTES))}`)
}

/** Whether two tokens are the same in every member, signatures included. */
export function sameToken(a: Token, b: Token): boolean {
  return bytesEqual(a.signature, b.signature) && encodeToken(a) === encodeToken(b)
}

/** The links of a token from itself to the root of its chain. */
export function linksOf(token: Token): readonly Token[] {
  const links: Token[] = []
  for (let link: Token | undefined = token; link !== undefined; link = link.chain) links.push(link)
  return links
}

const NO_BYTES = new Uint8Array()

function wireToken(token: Token): object {
  return { dms: wireMembers(token, token.signature) }
}

/** Members in canonical order (A §7.1). */
function wireMembers(token: UnsignedToken, signature: Uint8Array): object {
  return {
    act: token.action,
    iss: didMember(token.issuer),
    sub: didMember(token.subject),
    aud: didMember(token.audience),
    topic: token.topics.length === 0 ? undefined : token.topics,
    cap: token.capabilities,
    nonce: token.nonce === null ? null : encodeBase64(token.nonce),
    exp: token.expiresAt,
    depth: token.depth === 0n ? undefined : token.depth,
    chain: token.chain === undefined ? undefined : wireToken(token.chain),
    sig: signature.length === 0 ? undefined : encodeBase64(signature)
  }
}

function didMember(did: string): object {
  return did === '' ? {} : { uri: did }
}

/**
 * Reads one token from its JSON text.
 *
 * Accepts exactly what the reference emits, in any member order and with any white space; unknown, repeated, missing and
 * differently spelled members are refused, and so is `null` where a token must be (A §7.3, W1). Signatures are not checked.
 */
export function parseToken(text: string): Result<Token, Issue> {
  return parseText(text, decodeToken)
}

/** Reads a token list from its JSON text: at most {@link MAX_TOKEN_LIST_BYTES} and {@link MAX_TOKENS}; else as {@link parseToken}. */
export function parseTokenList(text: string): Result<readonly Token[], Issue> {
  return parseText(text, decodeTokenList)
}

/** Reads a token list or a single token, whichever the text is (W14). */
export function parseTokens(text: string): Result<readonly Token[], Issue> {
  return parseText(text, (value) => {
    if (!isJsonObject(value) || !('dms' in value)) return decodeTokenList(value)
    const token = decodeToken(value)
    return token.ok ? ok([token.value]) : token
  })
}

/** {@link parseToken} for JSON that `parseJson` has read; `path` prefixes the issue. */
export function decodeToken(value: unknown, path = ''): Result<Token, Issue> {
  return catchIssue(() => readToken(value, path, 1))
}

/** {@link parseTokenList} for JSON that `parseJson` has read as part of something larger, without the limit in bytes. */
export function decodeTokenList(value: unknown, path = ''): Result<readonly Token[], Issue> {
  return catchIssue(() => {
    const members = readObject(value, path)
    const entries = members['tok']
    refuseOthers(members, ['tok'], path)
    if (entries === undefined) return []
    if (!Array.isArray(entries) || entries.length === 0)
      refuse(join(path, 'tok'), 'must be a list of tokens; an empty list is {}')
    if (entries.length > MAX_TOKENS) refuse(join(path, 'tok'), `has ${entries.length} tokens, at most ${MAX_TOKENS} are read`)
    return entries.map((entry: unknown, index) => readToken(entry, join(path, `tok.${index}`), 1))
  })
}

/** Characters that can stand outside of the strings of a token; so `1.0`, `1e3` and `-0` are not integers here (A §7.3). */
const OUTSIDE_OF_STRINGS = /^[\s{}[\]:,\dnul]*$/
const STRING = /"(?:[^"\\]|\\.)*"/g

function parseText<T>(text: string, decode: (value: unknown) => Result<T, Issue>): Result<T, Issue> {
  const size = Buffer.byteLength(text)
  if (size > MAX_TOKEN_LIST_BYTES) {
    return err({ path: '', message: `capability blob too big: ${size} bytes, at most ${MAX_TOKEN_LIST_BYTES}` })
  }
  const json = parseJson(text)
  if (!json.ok) return json
  if (!OUTSIDE_OF_STRINGS.test(text.replace(STRING, ''))) {
    return err({
      path: '',
      message: 'bad token: has a member that is neither text, list, object, null nor a plain unsigned integer'
    })
  }
  return decode(json.value)
}

/** Leaves the parser at the first thing that is wrong; never leaves this file. */
class TokenSyntaxError extends Error {
  readonly issue: Issue

  constructor(issue: Issue) {
    super(issue.message)
    this.issue = issue
  }
}

function refuse(path: string, complaint: string): never {
  throw new TokenSyntaxError({ path, message: `bad token: ${path === '' ? 'it' : path} ${complaint}` })
}

function catchIssue<T>(read: () => T): Result<T, Issue> {
  try {
    return ok(read())
  } catch (error) {
    if (error instanceof TokenSyntaxError) return err(error.issue)
    throw error
  }
}

const MEMBERS: readonly string[] = ['act', 'iss', 'sub', 'aud', 'topic', 'cap', 'nonce', 'exp', 'depth', 'chain', 'sig']

function readToken(value: unknown, path: string, level: number): Token {
  if (level > MAX_LINKS) refuse(path, `makes the chain longer than ${MAX_LINKS} links`)
  const wrapper = readObject(value, path)
  refuseOthers(wrapper, ['dms'], path)
  const at = join(path, 'dms')
  const members = readObject(wrapper['dms'], at)
  refuseOthers(members, MEMBERS, at)
  const chain = members['chain']
  return {
    action: readText(members['act'], join(at, 'act')),
    issuer: readDid(members['iss'], join(at, 'iss')),
    subject: readDid(members['sub'], join(at, 'sub')),
    audience: readDid(members['aud'], join(at, 'aud')),
    topics: members['topic'] === undefined ? [] : readTopics(members['topic'], join(at, 'topic')),
    capabilities: members['cap'] === null ? null : readCapabilities(members['cap'], join(at, 'cap')),
    nonce: members['nonce'] === null ? null : readBytes(members['nonce'], join(at, 'nonce')),
    expiresAt: readInteger(members['exp'], join(at, 'exp'), 0n, MAX_INT64),
    depth: members['depth'] === undefined ? 0n : readInteger(members['depth'], join(at, 'depth'), 1n, MAX_UINT64),
    ...(chain === undefined ? {} : { chain: readToken(chain, join(at, 'chain'), level + 1) }),
    signature: members['sig'] === undefined ? new Uint8Array() : readSignature(members['sig'], join(at, 'sig'))
  }
}

function readObject(value: unknown, path: string): { readonly [name: string]: unknown } {
  if (!isJsonObject(value)) refuse(path, 'must be an object')
  return value
}

function refuseOthers(members: object, known: readonly string[], path: string): void {
  const other = Object.keys(members).find((name) => !known.includes(name))
  if (other !== undefined) refuse(path, `has the unknown member ${JSON.stringify(other.slice(0, 40))}`)
}

function readDid(value: unknown, path: string): string {
  const members = readObject(value, path)
  refuseOthers(members, ['uri'], path)
  const uri = members['uri']
  if (uri === undefined) return ''
  const text = readText(uri, join(path, 'uri'))
  if (text === '') refuse(path, 'must be {} when there is no DID')
  return text
}

function readText(value: unknown, path: string): string {
  if (typeof value !== 'string' || !isWireText(value)) refuse(path, 'must be a text without control characters')
  return value
}

function readTopics(value: unknown, path: string): readonly string[] {
  const topics = readList(value, path)
  if (topics.length === 0) refuse(path, 'must be left out when empty')
  if (topics.includes('')) refuse(path, 'must not have an empty entry')
  return topics
}

function readCapabilities(value: unknown, path: string): readonly string[] {
  const capabilities = readList(value, path)
  const index = capabilities.findIndex((capability) => !isWireCapability(capability))
  if (index >= 0) refuse(join(path, String(index)), 'must start with /')
  return capabilities
}

function readList(value: unknown, path: string): readonly string[] {
  if (!Array.isArray(value)) refuse(path, 'must be a list')
  if (value.length > MAX_CAPABILITIES) refuse(path, `has ${value.length} entries, at most ${MAX_CAPABILITIES} are read`)
  return value.map((entry: unknown, index) => readText(entry, join(path, String(index))))
}

function readSignature(value: unknown, path: string): Uint8Array {
  const signature = readBytes(value, path)
  if (signature.length === 0) refuse(path, 'must be left out when empty')
  return signature
}

function readBytes(value: unknown, path: string): Uint8Array {
  const bytes = typeof value === 'string' ? decodeBase64(value) : undefined
  if (bytes?.ok !== true) refuse(path, 'must be canonical padded base64')
  return bytes.value
}

function readInteger(value: unknown, path: string, least: bigint, most: bigint): bigint {
  const isInteger = typeof value === 'bigint' || Number.isSafeInteger(value)
  if (!isInteger || (typeof value !== 'bigint' && typeof value !== 'number')) refuse(path, 'must be an integer')
  const integer = BigInt(value)
  if (integer < least || integer > most) refuse(path, `must be between ${least} and ${most}`)
  return integer
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
