import { createHash } from 'node:crypto'

/** SHA-256 of the text of a key file, in hexadecimal. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
