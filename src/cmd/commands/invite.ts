import { createSession } from '../../client/index.ts'
import type { Config } from '../../config/index.ts'
import { DEPLOYMENT_TOPIC } from '../../protocol/index.ts'
import type { CapabilityContext, Token } from '../../ucan/index.ts'
import { clientOf } from '../clients.ts'
import type { Action, Flags } from '../command.ts'
import { openContext, recordIssued } from '../contexts.ts'
import { readDid } from '../dids.ts'
import { UsageError } from '../errors.ts'
import { describeExpiry, expiryIn } from '../expiries.ts'
import { findWhereabouts, isUsualMeetingPoint, type Whereabouts } from '../invitations/addresses.ts'
import { BEARER_DEPTH, INVITED_CAPABILITIES, type Invited, MAX_ADDRESSES } from '../invitations/invitation.ts'
import { listInvitations, toJson } from '../invitations/list.ts'
import { networkOf } from '../invitations/network.ts'
import { type GivenInvitation, idOf, invitationsOfContext, MAX_NOTE } from '../invitations/record.ts'
import { revokeInvitation } from '../invitations/revoke.ts'
import { bearerKey, encodeInvitation, isPeerAddress, newBearerSecret } from '../invitations/text.ts'
import type { Io } from '../io.ts'
import { note, printJson, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { findMachine } from '../setup/machine.ts'

/** `nunet invite`: prints an invitation to run jobs on this machine; `--list` shows the open ones, `--revoke` takes one back. */
export const invite: Action = async ({ flags }, io) => {
  if (flags.isOn('list')) return await listInvitations(flags, io)
  const id = flags.text('revoke')
  if (id !== undefined) return await revokeInvitation(id, flags, io)
  await giveInvitation(flags, io)
}

async function giveInvitation(flags: Flags, io: Io): Promise<void> {
  const { config } = await loadSettings(flags, io)
  const expiresAt = expiryIn(flags, io.clock.now())
  const remark = flags.text('note') ?? ''
  if (remark.length > MAX_NOTE) throw new UsageError(`--note has ${remark.length} characters, at most ${MAX_NOTE} are kept`)
  const invited = invitedBy(flags, io)
  const machine = await findMachine(flags.text('machine') ?? '', { flags, io, config })
  const { context } = await openContext(flags, io)
  const session = createSession({ client: clientOf(config, io), context, clock: io.clock, random: io.random })
  const patience = flags.duration('wait')
  const whereabouts = await findWhereabouts(session, { config, io, ...(patience === undefined ? {} : { patience }) })
  const grant = await grantTo(invited, expiresAt, context)
  const given: GivenInvitation = {
    id: idOf(grant),
    grant,
    givenAt: io.clock.now(),
    isBearer: invited.type === 'bearer',
    note: remark
  }
  // before there is a text: what was given away can always be taken back
  await (await invitationsOfContext(flags, io)).add(given)
  await recordIssued([grant], flags, io)
  const { addresses } = whereabouts
  const text = encodeInvitation({
    invited,
    grant,
    machine,
    addresses,
    meetingPoints: meetingPointsOf(config),
    network: networkOf(config)
  })
  await tellGiven(given, whereabouts, io)
  if (flags.isOn('json')) return await printJson(io, { ...toJson(given), machine, addresses, invitation: text })
  await printLine(io, text)
}

function invitedBy(flags: Flags, io: Io): Invited {
  const guest = flags.text('to')
  if (guest !== undefined) return { type: 'named', did: readDid(guest, '--to') }
  return { type: 'bearer', secret: newBearerSecret(io.random) }
}

/** What a deployer needs here and nothing else; only the guest's own machines can use it, for the depth ends with them. */
async function grantTo(invited: Invited, expiresAt: bigint, context: CapabilityContext): Promise<Token> {
  const isBearer = invited.type === 'bearer'
  return await context.grant({
    subject: isBearer ? bearerKey(invited.secret).did : invited.did,
    capabilities: INVITED_CAPABILITIES,
    topics: [DEPLOYMENT_TOPIC],
    expiresAt,
    depth: isBearer ? BEARER_DEPTH : BEARER_DEPTH - 1n
  })
}

/** The bootstrap nodes of this machine, for a guest who has others. */
function meetingPointsOf({ p2p }: Config): readonly string[] {
  return p2p.bootstrap_peers.filter((address) => isPeerAddress(address) && !isUsualMeetingPoint(address)).slice(0, MAX_ADDRESSES)
}

async function tellGiven(
  { id, grant, isBearer }: GivenInvitation,
  { addresses, isReachable }: Whereabouts,
  io: Io
): Promise<void> {
  const whom = isBearer ? 'Whoever has this text' : grant.subject
  await note(io, `${whom} may run jobs on this machine until ${describeExpiry(grant.expiresAt, io.clock.now())}.`)
  await note(io, 'They take it with: nunet join <invitation>')
  if (isBearer)
    await note(io, 'It is a secret, like a password: send it only to whom you mean, by a way that others cannot read.')
  await note(io, `You can take it back: nunet invite --revoke ${id}`)
  if (isReachable) return
  const where = addresses.length === 0 ? 'no address' : 'only addresses of its own network'
  await note(
    io,
    `Warning: this machine has ${where} yet; somebody elsewhere may not reach it. A public address or a relay helps (docs/guides/invitations.md).`
  )
}
