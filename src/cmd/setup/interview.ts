import { err, invariant, ok, type Result } from '../../base/index.ts'
import type { Io } from '../io.ts'
import { note } from '../output.ts'

/** Something that a person decides. */
export interface Question<T> {
  readonly text: string
  /** What Enter means, as it would be typed; also the answer when nobody is asked. */
  readonly usual: string
  /** Understands an answer, or says what would be right. */
  parse(answer: string): Result<T, string>
}

/** Asks on the terminal until the answer is understood; without a terminal the usual answer is taken. */
export async function ask<T>(io: Io, { text, usual, parse }: Question<T>): Promise<T> {
  for (;;) {
    const typed = io.terminal === undefined ? '' : (await io.terminal.ask(`${text}${usual === '' ? '' : ` [${usual}]`}: `)).trim()
    const answer = parse(typed === '' ? usual : typed)
    if (answer.ok) return answer.value
    invariant(io.terminal !== undefined, `the usual answer to "${text}" is refused: ${answer.error}`)
    await note(io, answer.error)
  }
}

/** A question for yes or no. */
export async function confirm(io: Io, text: string, usual: 'y' | 'n'): Promise<boolean> {
  return await ask(io, { text: `${text} (y/n)`, usual, parse: parseYesOrNo })
}

function parseYesOrNo(answer: string): Result<boolean, string> {
  const word = answer.toLowerCase()
  if (word === 'y' || word === 'yes') return ok(true)
  return word === 'n' || word === 'no' ? ok(false) : err('please answer y or n')
}

/** A TCP port. */
export function parsePort(answer: string): Result<number, string> {
  const port = /^\d{1,5}$/.test(answer) ? Number(answer) : 0
  return port >= 1 && port <= 65_535 ? ok(port) : err('please give a number from 1 to 65535')
}
