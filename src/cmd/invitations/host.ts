import { errorMessage, seconds } from '../../base/index.ts'
import type { Session } from '../../client/index.ts'
import { findConfigFile, setConfigValue } from '../../config/index.ts'
import { failureIn } from '../commands/actor-cmd.ts'
import { HostAwayError, RefusedReplyError } from '../errors.ts'
import { withProgress } from '../progress.ts'
import { placesOf } from '../settings.ts'
import { sessionOf } from '../setup/machine.ts'
import type { SetupRun } from '../setup/run.ts'
import type { Invitation } from './invitation.ts'

const CONNECT = '/dms/node/peers/connect'
const KEY = 'p2p.bootstrap_peers'
/** Longer than a dial through a relay takes. */
const CONNECT_TIME = seconds(30)
const HELLO_TIME = seconds(10)

/** Most bootstrap peers that invitations may leave in the configuration; older ones of theirs have to be removed by hand. */
const MAX_PEERS = 64

/** Writes the inviting machine, and the nodes through which it is found, into the configuration: a restart dials them again. */
export async function rememberHost({ addresses, meetingPoints }: Invitation, run: SetupRun): Promise<void> {
  const { flags, io, config } = run
  const known = config.p2p.bootstrap_peers
  const room = Math.max(0, MAX_PEERS - known.length)
  const added = [...meetingPoints, ...addresses].filter((address) => !known.includes(address)).slice(0, room)
  if (added.length === 0) return await run.report({ step: 'peers', state: 'already', text: 'the inviting machine is remembered' })
  const { path } = await findConfigFile(placesOf(flags, io))
  await setConfigValue({ path, key: KEY, text: JSON.stringify([...known, ...added]) })
  await run.report({ step: 'peers', state: 'done', text: `added ${added.length} to ${KEY} in ${path}` })
}

/** The same where the configuration is not the user's to change. */
export async function adviseService({ addresses, meetingPoints }: Invitation, run: SetupRun): Promise<void> {
  const text = `to have the service dial them after a restart, add to ${KEY} of its configuration: ${[...meetingPoints, ...addresses].join(' ')}`
  await run.report({ step: 'peers', state: 'open', text })
}

/**
 * Has the running daemon connect to the inviting machine by whichever address works first, and asks it whether it knows the owner.
 *
 * @throws HostAwayError when it is not reached or does not answer: all that was taken is kept.
 */
export async function meetHost(invitation: Invitation, run: SetupRun): Promise<void> {
  const { io, flags } = run
  const session = await sessionOf(run)
  try {
    const limit = CONNECT_TIME
    await withProgress(io, { text: 'connecting to the inviting machine', limit }, () => connect(session, invitation))
    const greeting = { behavior: '/public/hello', destination: invitation.machine, timeout: HELLO_TIME }
    await withProgress(io, { text: 'greeting the inviting machine', limit: HELLO_TIME }, () => session.invoke(greeting))
  } catch (error) {
    throw new HostAwayError(
      `the invitation is taken, but the inviting machine does not answer (${errorMessage(error)}). It may be switched off, or have revoked the invitation; when it is back, nunet deploy works${flags.isSet('config') ? ' with the same --config' : ''}`,
      { cause: error }
    )
  }
  await run.report({ step: 'connection', state: 'done', text: `${invitation.machine} answers, and knows you` })
}

async function connect(session: Session, { addresses }: Invitation): Promise<void> {
  const done = new AbortController()
  const attempts = addresses.map(async (address) => {
    const terms = { behavior: CONNECT, payload: { Address: address }, timeout: CONNECT_TIME }
    const failure = failureIn(await session.invoke(terms, { signal: done.signal }))
    if (failure !== undefined) throw new RefusedReplyError(failure)
  })
  try {
    await Promise.any(attempts)
  } catch (error) {
    if (!(error instanceof AggregateError)) throw error
    const first: unknown = error.errors[0]
    throw first instanceof Error ? first : new RefusedReplyError('the invitation names no address')
  } finally {
    done.abort() // whoever is still dialling need not be waited for
  }
}
