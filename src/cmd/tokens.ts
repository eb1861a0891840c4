import { parseTokens, type Token } from '../ucan/index.ts'
import { UsageError } from './errors.ts'
import type { Io } from './io.ts'

/**
 * The tokens of an argument: a token list or a single token as JSON, or `-` for stdin, where each line may have one (A §14, W14, W17).
 *
 * @throws UsageError also for an empty list, with which nothing would happen.
 */
export async function readTokens(text: string, io: Io): Promise<readonly Token[]> {
  const lines = text === '-' ? linesOf(await io.readInput()) : [text]
  const tokens = lines.flatMap((line) => {
    const parsed = parseTokens(line)
    if (!parsed.ok) throw new UsageError(`invalid token: ${parsed.error.message}`)
    return parsed.value
  })
  if (tokens.length === 0) throw new UsageError('the token list is empty')
  return tokens
}

/** `cap revoke` prints a token per line; anything else is one text, line breaks or not. */
function linesOf(input: string): readonly string[] {
  const lines = input.trim().split(/\r?\n/)
  return lines.every((line) => /^\{.*\}\s*$/.test(line)) ? lines : [input.trim()]
}
