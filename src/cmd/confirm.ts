import { NotConfirmedError, NotReplacedError } from './errors.ts'
import type { Io } from './io.ts'
import { note } from './output.ts'

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

/** What is worth a question, and how it is put. */
export interface Question {
  /** For the error without a terminal: `signing the file makes everything in it count`. */
  readonly complaint: string
  readonly question: string
}

/**
 * Lets a person agree to something.
 *
 * @throws NotConfirmedError for no, or when there is no terminal to ask on; it names `--yes`.
 */
export async function confirm({ terminal }: Io, { complaint, question }: Question): Promise<void> {
  if (terminal === undefined) throw new NotConfirmedError(`${complaint}; use --yes to do it without being asked`)
  const answer = (await terminal.ask(`${question} (y/N): `)).trim().toLowerCase()
  if (answer !== 'y' && answer !== 'yes') throw new NotConfirmedError('not confirmed: nothing was done')
}

/** What cannot be undone, and what is typed to have it done. */
export interface Grave {
  /** For the error without a terminal: `deleting the key user cannot be undone`. */
  readonly complaint: string
  /** What a person should know before. */
  readonly warning: string
  /** What must be typed: the name of what it is about. */
  readonly name: string
}

/**
 * Lets a person confirm something grave by typing the name of what it is about.
 *
 * @throws NotConfirmedError for any other answer, or when there is no terminal to ask on; it names `--yes`.
 */
export async function confirmByName(io: Io, { complaint, warning, name }: Grave): Promise<void> {
  if (io.terminal === undefined) throw new NotConfirmedError(`${complaint}; use --yes to do it without being asked`)
  await note(io, warning)
  const answer = await io.terminal.ask(`Type the name ${name} to go on: `)
  if (answer.trim() !== name) throw new NotConfirmedError(`the answer is not ${name}: nothing was done`)
}
