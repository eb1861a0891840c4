import { fromNanos, type JsonValue, type Millis, millis } from '../../base/index.ts'
import { describeNanos, type IssuedToken } from '../../ucan/index.ts'
import { type Cell, type Column, printRows } from '../columns.ts'
import type { Action } from '../command.ts'
import { issuedBy } from '../contexts.ts'
import { describeSpan } from '../expiries.ts'
import { printJson, printLine } from '../output.ts'
import { ageOf } from '../times.ts'

/**
 * `nunet cap issued`: what was granted and delegated with this context and has not expired: a table on a terminal, else one line each,
 * its parts separated by TABs; or JSON.
 */
export const listIssued: Action = async ({ flags }, io) => {
  const issued = await (await issuedBy(flags, io)).list()
  if (flags.isOn('json')) return await printJson(io, issued.map(toJson))
  if (io.stdout.screen !== undefined) {
    const now = io.clock.now()
    return await printRows(
      io,
      COLUMNS,
      issued.map((entry) => rowOf(entry, now))
    )
  }
  for (const { token, issuedAt } of issued) {
    const until = new Date(fromNanos(token.expiresAt)).toISOString()
    const parts = [new Date(issuedAt).toISOString(), until, token.subject, (token.capabilities ?? []).join(','), whereOf(token)]
    await printLine(io, parts.join('\t').trimEnd())
  }
}

const COLUMNS: readonly Column[] = [
  { title: 'AGE', align: 'right' },
  { title: 'LEFT', align: 'right' },
  { title: 'TO', isWhole: true },
  { title: 'WHAT' },
  { title: 'WHERE' }
]

function rowOf({ token, issuedAt }: IssuedToken, now: Millis): readonly Cell[] {
  const left = describeSpan(millis(Math.max(0, fromNanos(token.expiresAt) - now)))
  const what = (token.capabilities ?? []).join(', ')
  return [ageOf(new Date(issuedAt).toISOString(), now), left, token.subject, what, whereOf(token)]
}

function whereOf({ audience, topics }: IssuedToken['token']): string {
  return [...(audience === '' ? [] : [`at ${audience}`]), ...topics.map((topic) => `on ${topic}`)].join(' ')
}

function toJson({ token, issuedAt }: IssuedToken): JsonValue {
  const { subject, audience, capabilities, topics, expiresAt } = token
  return {
    issued: new Date(issuedAt).toISOString(),
    expires: describeNanos(expiresAt),
    subject,
    ...(audience === '' ? {} : { audience }),
    capabilities: capabilities ?? [],
    topics
  }
}
