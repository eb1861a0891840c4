import { toNanos } from '../../base/index.ts'
import { createVerifier } from '../../identity/index.ts'
import { verifyToken } from '../../ucan/index.ts'
import { listOf } from '../chains.ts'
import type { Action } from '../command.ts'
import { confirm } from '../confirm.ts'
import { tellDms } from '../contexts.ts'
import { BadInvitationError, InvitationExpiredError, NoFileError, UsageError } from '../errors.ts'
import { describeExpiry } from '../expiries.ts'
import { openSource } from '../files.ts'
import { acceptInvitation } from '../invitations/accept.ts'
import { meetHost, rememberHost } from '../invitations/host.ts'
import type { Invitation } from '../invitations/invitation.ts'
import { PREFIX, parseInvitation } from '../invitations/text.ts'
import type { Io } from '../io.ts'
import { note } from '../output.ts'
import { printNode, setUpNode } from '../setup/node.ts'
import { ensureRunning, withoutQuestions } from '../setup/start.ts'

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
  const { run, configuration } = await setUpNode(flags, withoutQuestions(io), { isBrief: true })
  await acceptInvitation(invitation, run)
  await rememberHost(invitation, run)
  if ((await ensureRunning(run)) === 'running') await tellDms((await run.open(run.dms)).context, flags, run.io)
  await meetHost(invitation, run)
  await note(io, 'You can run jobs there now: nunet deploy job.yaml')
  await printNode(run, [configuration, ...run.outcomes], flags, io)
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

async function describe({ grant, machine, addresses, meetingPoints, invited }: Invitation, io: Io): Promise<void> {
  const until = describeExpiry(grant.expiresAt, io.clock.now())
  await note(io, `Invitation of ${grant.issuer}${invited.type === 'named' ? ` for ${invited.did}` : ''}, until ${until}:`)
  await note(io, `  you may       ${listOf(grant.capabilities ?? [])} on its machines, broadcasting on ${listOf(grant.topics)}`)
  await note(io, `  it may        send bids to this machine, as ${machine}; nothing else`)
  for (const address of addresses) await note(io, `  connects to   ${address}`)
  for (const address of meetingPoints) await note(io, `  meets at      ${address}`)
}
