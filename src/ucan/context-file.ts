import { createHash } from 'node:crypto'
import {
  decodeBase64,
  encodeBase64,
  encodeGoJson,
  err,
  hours,
  type Issue,
  isJsonObject,
  type JsonValue,
  type Millis,
  ok,
  parseJson,
  type Result,
  toNanos,
  utf8
} from '../base/index.ts'
import { type Did, parseDid, type Signer } from '../identity/index.ts'
import { isSameIssue, verifyAnchor } from './anchor-set.ts'
import { expiresBefore, quote, revocationKey, type SignatureVerifier } from './chain.ts'
import { decodeToken, encodeToken } from './token.ts'
import type { Anchor, Anchors, ContextNotice, ContextSeal, Token } from './types.ts'

/** Tokens that ended this long ago are dropped from a file that is saved; before, a wrong clock may be to blame. */
const KEEP_EXPIRED = hours(30 * 24)

/** The members of a file that hold tokens, in the order in which they are written. */
const TOKEN_MEMBERS = ['require', 'provide', 'revoke'] as const

type TokenMember = (typeof TOKEN_MEMBERS)[number]

/** Entries that are not loaded but stay in the file as they are. */
export type SetAside = Readonly<Record<'roots' | TokenMember, readonly JsonValue[]>>

/** Notices about entries of one file; a file of garbage would fill the screen. */
const MAX_NOTICES = 20

/** What a context file says (A §8.3). */
export interface ContextFileContent {
  readonly did: Did
  /** Whether the signature of the file is there and good; a broken one is for the caller to refuse. */
  readonly seal: ContextSeal
  /** Verified; expired and broken tokens are not among them. */
  readonly anchors: Anchors
  readonly setAside: SetAside
  readonly notices: readonly ContextNotice[]
}

/** The content of a new file. */
export function emptyContent(did: Did): ContextFileContent {
  return {
    did,
    seal: 'signed',
    anchors: { roots: [], require: [], provide: [], revoke: [] },
    setAside: { roots: [], require: [], provide: [], revoke: [] },
    notices: []
  }
}

/**
 * Reads the text of a context file.
 *
 * What is expired, broken or revoked is set aside and noticed, and never keeps the rest from being used (W11). `null` and
 * missing members are empty (A §8.3).
 */
export function parseContextFile(text: string, now: Millis, verifier: SignatureVerifier): Result<ContextFileContent, Issue> {
  const json = parseJson(text)
  if (!json.ok) return json
  const file = json.value
  if (!isJsonObject(file))
    return err({ path: '', message: 'expected an object with the members did, roots, require, provide and revoke' })
  const did = readUri(file['did'])
  if (!did.ok) return err({ path: 'did', message: did.error.message })
  const entries: Record<'roots' | TokenMember, readonly JsonValue[]> = { roots: [], require: [], provide: [], revoke: [] }
  for (const member of ['roots', ...TOKEN_MEMBERS] as const) {
    const list = readList(file[member], member)
    if (!list.ok) return list
    entries[member] = list.value
  }
  const sorted = sortEntries(entries, now, verifier)
  const seal = sealOf(file['sig'], { did: did.value, entries, verifier })
  return ok({ did: did.value, seal, ...sorted, notices: [...bounded(sorted.notices), ...unknownMembers(file)] })
}

function bounded(notices: readonly ContextNotice[]): readonly ContextNotice[] {
  const more = notices.length - MAX_NOTICES
  return more <= 0 ? notices : [...notices.slice(0, MAX_NOTICES), { message: `${more} more entries are not used` }]
}

/** The members of a file that are signed. */
export type SignedContent = Pick<ContextFileContent, 'did' | 'anchors' | 'setAside'>

/** The text of a context file without signature: one line, byte for byte as the reference writes it. */
export function encodeContextFile({ did, anchors, setAside }: SignedContent): string {
  const tokens = (member: TokenMember): readonly string[] => [
    ...anchors[member].map(encodeToken),
    ...setAside[member].map(encodeGoJson)
  ]
  return layOut(did, {
    roots: [...anchors.roots.map((uri) => encodeGoJson({ uri })), ...setAside.roots.map(encodeGoJson)],
    require: tokens('require'),
    provide: tokens('provide'),
    revoke: tokens('revoke')
  })
}

/**
 * The text of a context file with the signature of its own key, as one more member `sig` after those of the reference, which
 * ignores it.
 *
 * @returns The text, or nothing when the signer gave a signature that does not verify: such a file could not be opened again.
 */
export async function signContextFile(
  content: SignedContent,
  signer: Signer,
  verifier: SignatureVerifier
): Promise<string | undefined> {
  const text = encodeContextFile(content)
  const message = messageOf(text)
  const signature = await signer.sign(message)
  if (!verifier.verify(content.did, message, signature)) return undefined
  return `${text.slice(0, -'}\n'.length)},"sig":"${encodeBase64(signature)}"}\n`
}

/** What is signed: short enough for the screen of a hardware wallet, and no token or envelope begins like it. */
function messageOf(unsigned: string): Uint8Array {
  return utf8(`dms:context:${createHash('sha256').update(unsigned).digest('hex')}`)
}

/**
 * Checks the signature over the values of the file, in the order in which they stand there.
 *
 * White space and the order of members do not count, as with tokens (A §7.2); entries that are set aside do.
 */
function sealOf(
  signature: JsonValue | undefined,
  file: { readonly did: Did; readonly entries: SetAside; readonly verifier: SignatureVerifier }
): ContextSeal {
  const { did, entries, verifier } = file
  if (signature === undefined) return 'unsigned'
  const bytes = typeof signature === 'string' ? decodeBase64(signature) : undefined
  if (bytes?.ok !== true) return 'broken'
  const encode = (member: keyof SetAside): readonly string[] => entries[member].map(encodeGoJson)
  const text = layOut(did, {
    roots: encode('roots'),
    require: encode('require'),
    provide: encode('provide'),
    revoke: encode('revoke')
  })
  return verifier.verify(did, messageOf(text), bytes.value) ? 'signed' : 'broken'
}

/** Puts encoded entries into the order and form of the reference. */
function layOut(did: Did, entries: Readonly<Record<'roots' | TokenMember, readonly string[]>>): string {
  const members = TOKEN_MEMBERS.map((member) => {
    const tokens = entries[member]
    return `"${member}":${tokens.length === 0 ? '{}' : `{"tok":[${tokens.join(',')}]}`}`
  })
  return `{"did":${encodeGoJson({ uri: did })},"roots":[${entries.roots.join(',')}],${members.join(',')}}\n`
}

/** The set-aside entries that are tokens at least. */
export function readableEntries(setAside: SetAside): Pick<Anchors, TokenMember> {
  const read = (entries: readonly JsonValue[]): readonly Token[] =>
    entries.flatMap((entry) => {
      const token = decodeToken(entry)
      return token.ok ? [token.value] : []
    })
  return { require: read(setAside.require), provide: read(setAside.provide), revoke: read(setAside.revoke) }
}

/** The content without entries that are expired for certain: by more than 30 days, and readable. */
export function withoutLongExpired(content: ContextFileContent, now: Millis): ContextFileContent {
  const limit = toNanos(now) - toNanos(KEEP_EXPIRED)
  const keep = (entries: readonly JsonValue[]): readonly JsonValue[] =>
    entries.filter((entry) => {
      const token = decodeToken(entry)
      return !token.ok || !expiresBefore(token.value, limit)
    })
  const { roots, require, provide, revoke } = content.setAside
  return { ...content, setAside: { roots, require: keep(require), provide: keep(provide), revoke: keep(revoke) } }
}

/** The set-aside entries without the one that an anchor names, as `remove` of a context compares them. */
export function withoutEntry(setAside: SetAside, anchor: Anchor): SetAside {
  if (anchor.kind === 'root') {
    return { ...setAside, roots: setAside.roots.filter((entry) => !isJsonObject(entry) || entry['uri'] !== anchor.did) }
  }
  const { kind, token } = anchor
  const remaining = setAside[kind].filter((entry) => {
    const stored = decodeToken(entry)
    return !stored.ok || !isSameIssue(stored.value, token)
  })
  return { ...setAside, [kind]: remaining }
}

function readUri(value: unknown): Result<Did, Issue> {
  const uri = isJsonObject(value) ? value['uri'] : undefined
  return typeof uri === 'string' ? parseDid(uri) : err({ path: '', message: 'expected a DID of the form {"uri":"did:…"}' })
}

/** `roots` is a list, the others are token lists: an object with the list inside. */
function readList(value: JsonValue | undefined, member: 'roots' | TokenMember): Result<readonly JsonValue[], Issue> {
  if (value === undefined || value === null) return ok([])
  const list = member === 'roots' ? value : isJsonObject(value) ? (value['tok'] ?? []) : undefined
  if (Array.isArray(list)) return ok(list as readonly JsonValue[])
  return err({ path: member, message: member === 'roots' ? 'expected a list' : 'expected a token list' })
}

function unknownMembers(file: { readonly [name: string]: JsonValue }): readonly ContextNotice[] {
  return Object.keys(file)
    .filter((name) => !['did', 'roots', ...TOKEN_MEMBERS, 'sig'].includes(name))
    .map((name) => ({ message: `unknown member ${quote(name)}: ignored, and dropped when the file is next saved` }))
}

/** Tells what can be used from what has to be set aside; revocations come first, because they decide about the others. */
function sortEntries(
  entries: Readonly<Record<'roots' | TokenMember, readonly JsonValue[]>>,
  now: Millis,
  verifier: SignatureVerifier
): Pick<ContextFileContent, 'anchors' | 'setAside' | 'notices'> {
  const notices: ContextNotice[] = []
  const setAside = { roots: [] as JsonValue[], require: [] as JsonValue[], provide: [] as JsonValue[], revoke: [] as JsonValue[] }
  const revocations = new Map<string, Token>()

  function sort<T>(
    member: 'roots' | TokenMember,
    read: (entry: JsonValue) => Result<T, { readonly message: string }>
  ): readonly T[] {
    return entries[member].flatMap((entry, index) => {
      const value = read(entry)
      if (value.ok) return [value.value]
      setAside[member].push(entry)
      notices.push({ message: `${member} entry ${index + 1} is not used: ${value.error.message}` })
      return []
    })
  }

  function readToken(entry: JsonValue, kind: TokenMember): Result<Token, { readonly message: string }> {
    const token = decodeToken(entry)
    if (!token.ok) return token
    const verified = verifyAnchor({ kind, token: token.value }, now, verifier, revocations)
    return verified.ok ? token : verified
  }

  const revoke = sort('revoke', (entry) => readToken(entry, 'revoke'))
  for (const token of revoke) revocations.set(revocationKey(token), token)
  const roots = sort('roots', readUri)
  const require = sort('require', (entry) => readToken(entry, 'require'))
  const provide = sort('provide', (entry) => readToken(entry, 'provide'))
  return { anchors: { roots, require, provide, revoke }, setAside, notices }
}
