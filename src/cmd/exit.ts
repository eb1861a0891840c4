import { DmsError, EXIT_CODES, errorMessage } from '../base/index.ts'
import type { Io } from './io.ts'
import { oneLine } from './output.ts'

/**
 * Tells what went wrong in one line on stderr, `Error: <message>`, with the stack only for `--debug`.
 *
 * @returns The exit code of the error's kind; 70 for what is no error of ours.
 */
export async function reportError(error: unknown, io: Io, isDebugging: boolean): Promise<number> {
  await io.stderr.write(`Error: ${oneLine(errorMessage(error))}\n`)
  if (isDebugging) await io.stderr.write(`${stackOf(error)}\n`)
  return error instanceof DmsError ? EXIT_CODES[error.kind] : EXIT_CODES.internal
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const cause = error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`
  return `${error.stack ?? error.name}${cause}`
}
