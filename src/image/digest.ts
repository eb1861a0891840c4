import { createHash } from 'node:crypto'

/** As images name content: `sha256:` and 64 hex digits. */
export function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}
