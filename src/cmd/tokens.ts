import { type Issue, invariant, type JsonValue, ok, parseJson, type Result } from '../base/index.ts'
import { encodeTokenList, parseTokens, type Token } from '../ucan/index.ts'
import { NoFileError, UsageError } from './errors.ts'
import { openSource } from './files.ts'
import type { Io } from './io.ts'

/**
 * The tokens of an argument: a token list or a single token as JSON, a file with them, or `-` for stdin (A §14, W14, W17).
 * Several lines hold several of them, as `nunet cap revoke` prints them.
 *
 * @throws UsageError also for an empty list, with which nothing would happen.
 */
export async function readTokens(text: string, io: Io): Promise<readonly Token[]> {
  const tokens = parseLines(await readTokenText(text, io))
  if (!tokens.ok) throw new UsageError(`invalid token: ${tokens.error.message}`)
  if (tokens.value.length === 0) throw new UsageError('the token list is empty')
  return tokens.value
}

/**
 * The text that an argument stands for: itself when it is JSON, else what is in stdin or in a file.
 *
 * @throws UsageError when it is none of these, and what `openSource` throws.
 */
export async function readTokenText(text: string, io: Io): Promise<string> {
  if (text === '-') return (await io.readInput()).trim()
  const trimmed = text.trim()
  if (trimmed === '' || trimmed.startsWith('{')) return trimmed
  try {
    return openSource(trimmed, io.cwd).text.trim()
  } catch (error) {
    if (!(error instanceof NoFileError)) throw error
    const shown = JSON.stringify(trimmed.length > 60 ? `${trimmed.slice(0, 60)}…` : trimmed)
    throw new UsageError(`${shown} is no token: expected JSON such as {"tok":[…]}, a file with it, or - for stdin`, {
      cause: error
    })
  }
}

/** A token list as the JSON that it is on the wire. */
export function tokenListToJson(tokens: readonly Token[]): JsonValue {
  const list = parseJson(encodeTokenList(tokens))
  invariant(list.ok, 'a token list does not encode to JSON')
  return list.value
}

function parseLines(text: string): Result<readonly Token[], Issue> {
  const whole = parseTokens(text)
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (whole.ok || lines.length < 2) return whole
  const tokens: Token[] = []
  for (const line of lines) {
    const parsed = parseTokens(line)
    if (!parsed.ok) return whole // the text as a whole was meant: its issue says where it is wrong
    tokens.push(...parsed.value)
  }
  return ok(tokens)
}
