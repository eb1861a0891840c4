import { err, fromNanos, isJsonObject, type JsonValue, type Millis, millis, ok, parseJson, type Result } from '../base/index.ts'
import { decodeToken, linksOf, type Token } from '../ucan/index.ts'

/** What a capability context holds, as far as it can be told without its key: nothing of it is verified. */
export interface ContextSummary {
  readonly did: string
  readonly roots: readonly string[]
  readonly require: readonly Token[]
  readonly provide: readonly Token[]
  readonly revoke: readonly Token[]
  /** Entries that are no tokens or DIDs. */
  readonly unreadable: number
}

/** Reads the text of a context file (A §8.3); `null` and missing members are empty. */
export function summarizeContext(text: string): Result<ContextSummary, string> {
  const json = parseJson(text)
  if (!json.ok) return err(json.error.message)
  if (!isJsonObject(json.value)) return err('not a JSON object')
  const { did, roots, require, provide, revoke } = json.value
  const uri = uriOf(did)
  if (uri === undefined) return err('it names no DID')
  const rootEntries = Array.isArray(roots) ? (roots as readonly JsonValue[]) : []
  const rootUris = rootEntries.flatMap((entry) => uriOf(entry) ?? [])
  const lists = [require, provide, revoke].map(tokensIn)
  const [required, provided, revoked] = lists
  return ok({
    did: uri,
    roots: rootUris,
    require: required?.tokens ?? [],
    provide: provided?.tokens ?? [],
    revoke: revoked?.tokens ?? [],
    unreadable: rootEntries.length - rootUris.length + lists.reduce((sum, { unreadable }) => sum + unreadable, 0)
  })
}

/** When a token ends: with the first of its links. */
export function endOf(token: Token): Millis {
  return millis(Math.min(...linksOf(token).map(({ expiresAt }) => fromNanos(expiresAt))))
}

function uriOf(value: JsonValue | undefined): string | undefined {
  const uri = isJsonObject(value) ? value['uri'] : undefined
  return typeof uri === 'string' ? uri : undefined
}

function tokensIn(value: JsonValue | undefined): { readonly tokens: readonly Token[]; readonly unreadable: number } {
  const list = isJsonObject(value) ? value['tok'] : undefined
  if (!Array.isArray(list)) return { tokens: [], unreadable: 0 }
  const decoded = (list as readonly JsonValue[]).map((entry) => decodeToken(entry))
  const tokens = decoded.flatMap((token) => (token.ok ? [token.value] : []))
  return { tokens, unreadable: list.length - tokens.length }
}
