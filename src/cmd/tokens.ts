import { parseTokens, type Token } from '../ucan/index.ts'
import { UsageError } from './errors.ts'
import type { Io } from './io.ts'

/**
 * The tokens of an argument: a token list or a single token as JSON, or `-` for stdin (A §14, W14, W17).
 *
 * @throws UsageError also for an empty list, with which nothing would happen.
 */
export async function readTokens(text: string, io: Io): Promise<readonly Token[]> {
  const tokens = parseTokens(text === '-' ? (await io.readInput()).trim() : text)
  if (!tokens.ok) throw new UsageError(`invalid token: ${tokens.error.message}`)
  if (tokens.value.length === 0) throw new UsageError('the token list is empty')
  return tokens.value
}
