import { fromNanos, type JsonValue } from '../../base/index.ts'
import { describeNanos } from '../../ucan/index.ts'
import { type Cell, type Column, renderColumns } from '../columns.ts'
import type { Flags } from '../command.ts'
import { describeSpan } from '../expiries.ts'
import type { Io } from '../io.ts'
import { note, printJson } from '../output.ts'
import { ageOf } from '../times.ts'
import { type GivenInvitation, invitationsOfContext } from './record.ts'

const COLUMNS: readonly Column[] = [
  { title: 'ID', isWhole: true },
  { title: 'AGE', align: 'right' },
  { title: 'LEFT', align: 'right' },
  { title: 'FOR' },
  { title: 'NOTE' }
]

/** `nunet invite --list`: the invitations that can be used still. */
export async function listInvitations(flags: Flags, io: Io): Promise<void> {
  const open = await (await invitationsOfContext(flags, io)).list()
  if (flags.isOn('json')) return await printJson(io, open.map(toJson))
  if (open.length === 0) return await note(io, 'No invitation is open')
  await io.stdout.write(
    renderColumns(
      COLUMNS,
      open.map((invitation) => rowOf(invitation, io)),
      io.stdout.screen
    )
  )
}

function rowOf({ id, grant, givenAt, isBearer, note: remark }: GivenInvitation, { clock }: Io): readonly Cell[] {
  const now = clock.now()
  const left = describeSpan(fromNanos(grant.expiresAt - BigInt(now) * 1_000_000n))
  return [id, ageOf(new Date(givenAt).toISOString(), now), left, isBearer ? 'whoever has the text' : grant.subject, remark]
}

/** An invitation for programs; without what makes it usable. */
export function toJson({ id, grant, givenAt, isBearer, note: remark }: GivenInvitation): { readonly [name: string]: JsonValue } {
  return {
    id,
    given: new Date(givenAt).toISOString(),
    expires: describeNanos(grant.expiresAt),
    ...(isBearer ? {} : { to: grant.subject }),
    capabilities: grant.capabilities ?? [],
    topics: grant.topics,
    note: remark
  }
}
