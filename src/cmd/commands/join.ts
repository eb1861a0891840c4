import { toNanos } from '../../base/index.ts'
import { createVerifier } from '../../identity/index.ts'
import { verifyToken } from '../../ucan/index.ts'
import { listOf } from '../chains.ts'
import type { Action } from '../command.ts'
import { confirm } from '../confirm.ts'
import { BadInvitationError, InvitationExpiredError, NoFileError, UsageError } from '../errors.ts'
import { describeExpiry } from '../expiries.ts'
import { openSource } from '../files.ts'
import { acceptInvitation, refuseForeign } from '../invitations/accept.ts'
import { adviseService, meetHost, rememberHost } from '../invitations/host.ts'
import type { Invitation } from '../invitations/invitation.ts'
import { enterNetwork, requireNetwork } from '../invitations/network.ts'
import { PREFIX, parseInvitation } from '../invitations/text.ts'
import type { Io } from '../io.ts'
import { note } from '../output.ts'
import { bringUp, printNode } from '../setup/node.ts'

/**
 * `nunet join <invitation>`: sets up what is missing, takes the rights that the invitation gives, lets bids of the inviting machine
 * in, and connects to it. Every step is kept before the next begins; run again, it does what is missing.
 */
export const join: Action = async ({ args: [given], flags }, io) => {
  const invitation = understood(await textOf(given, io))
  refuseUnusable(invitation, io)
  await describe(invitation, io)
  if (!flags.isOn('yes')) {
    await confirm(io, { complaint: 'joining changes whom this machine lets in', question: 'Join?' })
  }
  const node = await bringUp(flags, io, async (run) => {
    await refuseForeign(invitation, run)
    await enterNetwork(invitation, run)
    await rememberHost(invitation, run)
  })
  if (node.machine.isService) {
    await requireNetwork(invitation, node.run)
    await adviseService(invitation, node.run)
  }
  await acceptInvitation(invitation, node)
  await meetHost(invitation, node.run)
  await note(io, 'You can run jobs there now: nunet deploy job.yaml')
  await printNode({ ...node, dms: node.machine.did }, flags, io)
}

/** The text that an argument stands for: itself, or what is in stdin, in a file, or typed. */
async function textOf(given: string | undefined, io: Io): Promise<string> {
  if (given === undefined) {
    if (io.terminal === undefined) throw new UsageError('an invitation is needed: the text, a file with it, or - for stdin')
    return await io.terminal.askHidden('Invitation (paste it; it is not shown): ')
  }
  if (given === '-') return await io.readInput()
  if (given.trim().startsWith(PREFIX.slice(0, 13))) return given
  try {
    return openSource(given, io.cwd).text
  } catch (error) {
    if (!(error instanceof NoFileError)) throw error
    throw new BadInvitationError(
      `the argument is neither an invitation, which begins with ${PREFIX}, nor a file with one, nor -`,
      {
        cause: error
      }
    )
  }
}

function understood(text: string): Invitation {
  const invitation = parseInvitation(text)
  if (invitation.ok) return invitation.value
  throw new BadInvitationError(invitation.error.message)
}

/** The grant must hold by itself; whether it is revoked is known where it was given. */
function refuseUnusable({ grant }: Invitation, io: Io): void {
  const now = io.clock.now()
  if (grant.expiresAt <= toNanos(now)) {
    throw new InvitationExpiredError(`the invitation ended: ${describeExpiry(grant.expiresAt, now)}; ask for a new one`)
  }
  const held = verifyToken(grant, toNanos(now), { verifier: createVerifier() })
  if (!held.ok) throw new BadInvitationError(`the invitation does not hold: ${held.error.message}`)
}

async function describe({ grant, machine, addresses, meetingPoints, invited, network }: Invitation, io: Io): Promise<void> {
  const until = describeExpiry(grant.expiresAt, io.clock.now())
  await note(io, `Invitation of ${grant.issuer}${invited.type === 'named' ? ` for ${invited.did}` : ''}, until ${until}:`)
  const rights = `${listOf(grant.capabilities ?? [])}, and by broadcast ${listOf(grant.topics)}`
  await note(io, `  you may       run jobs on machines of its owner (${rights})`)
  await note(io, `  it may        send bids to this machine, as ${machine}; nothing else`)
  for (const [name, text] of Object.entries(network)) await note(io, `  p2p.${name.padEnd(9)} ${text}`)
  for (const address of addresses) await note(io, `  connects to   ${address}`)
  for (const address of meetingPoints) await note(io, `  meets at      ${address}`)
}
