import { NotReplacedError } from './errors.ts'
import type { Io } from './io.ts'

/** What would be replaced, and how the question about it is put. */
export interface Replacement {
  /** For the error: `a key with name 'dms' already exists`. */
  readonly complaint: string
  readonly question: string
}

/**
 * Lets a person decide whether something existing is replaced.
 *
 * @throws NotReplacedError when the answer is no, or when there is no terminal to ask on; it names `--force`.
 */
export async function confirmReplacement({ terminal }: Io, { complaint, question }: Replacement): Promise<void> {
  if (terminal === undefined) throw new NotReplacedError(`${complaint}; use --force to replace it`)
  for (;;) {
    const answer = (await terminal.ask(`${question} (y/N): `)).trim().toLowerCase()
    if (answer === 'y' || answer === 'yes') return
    if (answer === 'n' || answer === 'no') throw new NotReplacedError('operation cancelled by user')
  }
}
