import { errorMessage, type JsonValue } from '../../base/index.ts'
import { ClientUnavailableError, createSession, type Session } from '../../client/index.ts'
import type { Token } from '../../ucan/index.ts'
import { addAnchors } from '../anchors.ts'
import { clientOf } from '../clients.ts'
import type { Flags } from '../command.ts'
import { failureIn } from '../commands/actor-cmd.ts'
import { contextsOf, openContext, openContextFile } from '../contexts.ts'
import { NoInvitationError, OtherDmsError, RefusedReplyError, UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import { note } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { findMachine } from '../setup/machine.ts'
import { openSigner } from '../signers.ts'
import { tokenListToJson } from '../tokens.ts'
import { type GivenInvitation, invitationsOfContext } from './record.ts'

/**
 * `nunet invite --revoke <id>`: what was given ends, and everything that was made of it. The revocation is kept in the owner's
 * context, and counts at this machine from now on; it is broadcast to those that listen to this one.
 */
export async function revokeInvitation(id: string, flags: Flags, io: Io): Promise<void> {
  const record = await invitationsOfContext(flags, io)
  const { id: full, grant } = find(id, await record.list())
  const file = await openContext(flags, io)
  const revocation = await file.context.revoke(grant)
  const anchors = [{ kind: 'revoke', token: revocation }] as const
  await addAnchors(file, anchors, io)
  const { config } = await loadSettings(flags, io)
  const machine = flags.text('machine') ?? ''
  try {
    await findMachine(machine, { flags, io, config })
    await tellMachine(
      createSession({ client: clientOf(config, io), context: file.context, clock: io.clock, random: io.random }),
      revocation,
      io
    )
  } catch (error) {
    if (!(error instanceof ClientUnavailableError || error instanceof OtherDmsError)) throw error
    await addAnchors(
      await openContextFile(contextsOf(config, io), machine, () => openSigner(machine, config, io), io),
      anchors,
      io
    )
    await note(io, 'The DMS does not run: it uses the revocation from its next start on')
  }
  await record.remove(full) // last: until then the command can be run again
  await note(
    io,
    `The invitation ${full} is revoked, and everything that was made of it. Jobs that run already go on until they end.`
  )
}

function find(id: string, open: readonly GivenInvitation[]): GivenInvitation {
  const found = open.filter((invitation) => invitation.id.startsWith(id.toLowerCase()))
  const [first] = found
  if (first === undefined || id === '')
    throw new NoInvitationError(`no open invitation has the id ${id}; see nunet invite --list`)
  if (found.length > 1) throw new UsageError(`${found.length} invitations begin with ${id}: give more of the id`)
  return first
}

async function tellMachine(session: Session, revocation: Token, io: Io): Promise<void> {
  const Token: JsonValue = tokenListToJson([revocation])
  const failure = failureIn(await session.invoke({ behavior: '/dms/cap/revoke/anchor', payload: { Token } }))
  if (failure !== undefined) throw new RefusedReplyError(failure)
  try {
    const refused = failureIn(await session.invoke({ behavior: '/dms/cap/revoke/broadcast', payload: { Token } }))
    if (refused !== undefined) throw new RefusedReplyError(refused)
  } catch (error) {
    await note(io, `Warning: no other machine was told (${errorMessage(error)})`)
  }
}
