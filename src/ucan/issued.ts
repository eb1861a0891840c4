import {
  type Clock,
  decodeBase64,
  encodeBase64,
  encodeGoJson,
  isJsonObject,
  type Millis,
  millis,
  parseJson
} from '../base/index.ts'
import { readPrivateFile, withFileLock, writePrivateFile } from '../db/index.ts'
import { isWireText } from './capability.ts'
import { isExpired } from './chain.ts'
import type { Token } from './types.ts'

/** A token that a context gave away: what its revocation needs, without its signature and chain. */
export interface IssuedToken {
  readonly token: Token
  readonly issuedAt: Millis
}

/**
 * What a context has issued, beside its file, mode 0600. Only a comfort: without it `nunet cap revoke` needs the token itself.
 */
export interface IssuedRecord {
  /** Adds tokens and drops expired ones. */
  add(tokens: readonly Token[]): Promise<void>
  /** Tokens that have not expired, oldest first; lines that cannot be read are left out. */
  list(): Promise<readonly IssuedToken[]>
}

/** Bytes of the file; the oldest lines go first. About 2000 tokens. */
const MAX_BYTES = 900_000

const MAX_INT64 = 2n ** 63n - 1n

/** Creates the record over a file. */
export function createIssuedRecord({ path, clock }: { readonly path: string; readonly clock: Clock }): IssuedRecord {
  async function read(): Promise<readonly IssuedToken[]> {
    const text = (await readPrivateFile(path)) ?? ''
    return text
      .split('\n')
      .flatMap(parseLine)
      .filter(({ token }) => !isExpired(token, clock.now()))
  }

  return {
    list: read,
    add: (tokens) =>
      withFileLock(path, async () => {
        const issuedAt = clock.now()
        const all = [...(await read()), ...tokens.map((token) => ({ token, issuedAt }))]
        await writePrivateFile(path, newest(all.map(encodeLine)).join(''))
      })
  }
}

/** The last lines that fit. */
function newest(lines: readonly string[]): readonly string[] {
  let room = MAX_BYTES
  const first = lines.findLastIndex((line) => {
    room -= Buffer.byteLength(line)
    return room < 0
  })
  return lines.slice(first + 1)
}

function encodeLine({ token, issuedAt }: IssuedToken): string {
  const { issuer, subject, audience, capabilities, topics, nonce, expiresAt } = token
  return `${encodeGoJson({
    time: new Date(issuedAt).toISOString(),
    iss: issuer,
    sub: subject,
    aud: audience === '' ? undefined : audience,
    cap: capabilities,
    topic: topics.length === 0 ? undefined : topics,
    nonce: encodeBase64(nonce ?? new Uint8Array()),
    exp: expiresAt
  })}\n`
}

function parseLine(line: string): readonly IssuedToken[] {
  const json = line === '' ? undefined : parseJson(line)
  if (json?.ok !== true || !isJsonObject(json.value)) return []
  const { time, iss, sub, aud = '', cap, topic = [], nonce, exp } = json.value
  const texts = [time, iss, sub, aud, nonce].filter(isText)
  if (texts.length < 5 || !isTexts(cap) || !isTexts(topic)) return []
  const [issued = '', issuer = '', subject = '', audience = '', base64 = ''] = texts
  const bytes = decodeBase64(base64)
  const issuedAt = Date.parse(issued)
  const expiresAt = readNanos(exp)
  if (!bytes.ok || Number.isNaN(issuedAt) || expiresAt === undefined) return []
  const token: Token = {
    action: 'delegate',
    issuer,
    subject,
    audience,
    topics: topic,
    capabilities: cap,
    nonce: bytes.value,
    expiresAt,
    depth: 0n,
    signature: new Uint8Array()
  }
  return [{ token, issuedAt: millis(issuedAt) }]
}

function readNanos(value: unknown): bigint | undefined {
  if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isSafeInteger(value))) return undefined
  const nanos = BigInt(value)
  return nanos >= 0n && nanos <= MAX_INT64 ? nanos : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && isWireText(value)
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}
