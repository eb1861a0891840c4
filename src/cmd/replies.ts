import { describeIssues, type Result } from '../base/index.ts'
import { BadReplyError } from '../client/index.ts'
import type { Cell } from './columns.ts'
import type { Style } from './screen.ts'

/**
 * What the list in a reply says.
 *
 * @throws BadReplyError when it is no such list.
 */
export function understood<T>(decoded: Result<T, Parameters<typeof describeIssues>[0]>): T {
  if (decoded.ok) return decoded.value
  throw new BadReplyError(`the list of the node cannot be read: ${describeIssues(decoded.error)}`)
}

const STYLES: Readonly<Record<string, Style>> = { running: 'green', completed: 'dim', failed: 'red' }

/** A status word in its colour. */
export function statusCell(status: string): Cell {
  const style = STYLES[status.toLowerCase()]
  return style === undefined ? status : { text: status, style }
}
