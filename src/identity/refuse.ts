import { err, type Issue } from '../base/index.ts'

/** Longest part of a foreign text that a message repeats. */
const EXCERPT_LENGTH = 80

/** A refusal that concerns the whole value. */
export function refuse(message: string): { readonly ok: false; readonly error: Issue } {
  return err({ path: '', message })
}

/** A foreign text as it may stand in a message: quoted, control characters escaped, at most 80 characters of it. */
export function excerpt(text: string): string {
  return text.length > EXCERPT_LENGTH ? `${JSON.stringify(text.slice(0, EXCERPT_LENGTH))}…` : JSON.stringify(text)
}
