import { hours, invariant, millis, toNanos } from '../../base/index.ts'
import type { Signer } from '../../identity/index.ts'
import { BID_BEHAVIOR } from '../../protocol/index.ts'
import { createContext, encodeToken, linksOf, sameToken, type Token } from '../../ucan/index.ts'
import { addAnchors } from '../anchors.ts'
import { BadInvitationError } from '../errors.ts'
import type { RunningNode } from '../setup/node.ts'
import type { SetupRun } from '../setup/run.ts'
import type { Invitation } from './invitation.ts'
import { bearerKey } from './text.ts'

/** How long bids of an inviting machine are let in at most, however long its invitation holds. */
const LONGEST_TRUST = hours(24 * 366)

/**
 * Takes what an invitation gives: the owner may use it and passes it on to the machine; the machine lets bids of the inviting
 * machine in, for as long, and nothing else of it.
 *
 * @throws BadInvitationError when it is for another DID than the owner's.
 */
export async function acceptInvitation(invitation: Invitation, { run, machine: own }: RunningNode): Promise<void> {
  const { user, io } = run
  await refuseForeign(invitation, run)
  const owner = await run.summary(user)
  if ((await own.provided()).some((token) => linksOf(token).some((link) => sameToken(link, invitation.grant)))) {
    return await run.report({ step: 'invitation', state: 'already', text: 'this machine has taken it' })
  }
  const mine = await takenBy(owner.did, invitation, run)
  const { context } = await run.open(user)
  const forMachine = await passOn(mine, await run.signer(user), own.did, run)
  const { machine, grant } = invitation
  const longest = toNanos(millis(io.clock.now() + LONGEST_TRUST))
  const [expiresAt = longest] = [grant.expiresAt, longest].sort((a, b) => (a < b ? -1 : 1))
  const forBids = await context.grant({ subject: machine, capabilities: [BID_BEHAVIOR], expiresAt, depth: 1n })
  await addAnchors(await run.open(user), [{ kind: 'provide', token: mine }], io)
  // last, and in one step: by this the next run knows that all is done
  await own.add([
    { kind: 'require', token: forBids },
    { kind: 'provide', token: forMachine }
  ])
  await run.report({
    step: 'invitation',
    state: 'done',
    text: `${user} and this machine may run jobs on machines of ${grant.issuer}`
  })
}

/** @throws BadInvitationError when it is for another DID than the owner's. */
export async function refuseForeign({ invited }: Invitation, { user, summary }: SetupRun): Promise<void> {
  const { did } = await summary(user)
  if (invited.type === 'bearer' || invited.did === did) return
  throw new BadInvitationError(`the invitation is for ${invited.did}; ${user} is ${did}`)
}

/** The owner's own part: the grant itself, or what the key of a bearer invitation makes of it for the owner. */
async function takenBy(owner: string, { invited, grant }: Invitation, run: SetupRun): Promise<Token> {
  if (invited.type === 'named') return grant
  return await passOn(grant, bearerKey(invited.secret), owner, run)
}

/** A delegation of exactly this token: other provide anchors of the context have no part in it. */
async function passOn(token: Token, signer: Signer, subject: string, { io }: SetupRun): Promise<Token> {
  const now = io.clock.now()
  const context = createContext({ signer, random: io.random })
  const held = context.anchor({ kind: 'provide', token }, now)
  if (!held.ok) throw new BadInvitationError(`the invitation does not hold: ${held.error.message}`)
  const terms = { capabilities: token.capabilities ?? [], topics: token.topics, expiresAt: 0n }
  const depth = token.depth === 0n ? 0n : token.depth - 1n
  const [delegated] = await context.delegate({ subject, ...terms, depth }, now)
  invariant(delegated !== undefined, `a delegation of ${encodeToken(token).length} bytes gave no token`)
  return delegated
}
