import {
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
  toNanos
} from '../base/index.ts'
import { type Did, parseDid } from '../identity/index.ts'
import { isSameIssue, verifyAnchor } from './anchor-set.ts'
import { expiresBefore, quote, revocationKey, type SignatureVerifier } from './chain.ts'
import { decodeToken, encodeToken } from './token.ts'
import type { Anchor, Anchors, ContextNotice, Token } from './types.ts'

/** Tokens that ended this long ago are dropped from a file that is saved; before, a wrong clock may be to blame. */
const KEEP_EXPIRED = hours(30 * 24)

/** The members of a file that hold tokens, in the order in which they are written. */
const TOKEN_MEMBERS = ['require', 'provide', 'revoke'] as const

type TokenMember = (typeof TOKEN_MEMBERS)[number]

/** Entries that are not loaded but stay in the file as they are. */
export type SetAside = Readonly<Record<'roots' | TokenMember, readonly JsonValue[]>>

/** What a context file says (A §8.3). */
export interface ContextFileContent {
  readonly did: string
  /** Verified; expired and broken tokens are not among them. */
  readonly anchors: Anchors
  readonly setAside: SetAside
  readonly notices: readonly ContextNotice[]
}

/** The content of a new file. */
export function emptyContent(did: Did): ContextFileContent {
  return {
    did,
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
  return ok({ did: did.value, ...sorted, notices: [...sorted.notices, ...unknownMembers(file)] })
}

/** The text of a context file: one line, byte for byte as the reference writes it. */
export function encodeContextFile(content: Pick<ContextFileContent, 'did' | 'anchors' | 'setAside'>): string {
  const { did, anchors, setAside } = content
  const roots = [...anchors.roots.map((uri) => encodeGoJson({ uri })), ...setAside.roots.map(encodeGoJson)]
  const members = TOKEN_MEMBERS.map((member) => {
    const tokens = [...anchors[member].map(encodeToken), ...setAside[member].map(encodeGoJson)]
    return `"${member}":${tokens.length === 0 ? '{}' : `{"tok":[${tokens.join(',')}]}`}`
  })
  return `{"did":${encodeGoJson({ uri: did })},"roots":[${roots.join(',')}],${members.join(',')}}\n`
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
    .filter((name) => !['did', 'roots', ...TOKEN_MEMBERS].includes(name))
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
