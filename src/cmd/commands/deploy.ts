import { CancelledError, isJsonObject, type JsonValue, seconds } from '../../base/index.ts'
import type { Session } from '../../client/index.ts'
import { deploymentNew, peersList } from '../../protocol/index.ts'
import type { Action, Flags } from '../command.ts'
import { DeploymentFailedError, RefusedReplyError, UsageError } from '../errors.ts'
import { type Ending, follow, untilStopped } from '../following.ts'
import type { Io } from '../io.ts'
import { note, printLine } from '../output.ts'
import { openSession } from '../sessions.ts'
import { loadSettings } from '../settings.ts'
import { callBehavior, failureIn, termsOf } from './actor-cmd.ts'

const ANSWER_TIME = seconds(10)

/**
 * `nunet deploy`: with `-f`, calls the behaviour and prints its reply as `nunet actor cmd` does (D §2.1). With the file as an argument
 * it follows the deployment to its end and prints the output of the job; `--detach` prints the id instead.
 */
export const deploy: Action = async (invocation, io) => {
  const { args, flags } = invocation
  const [file] = args
  if (file === undefined) {
    if (flags.isOn('detach')) throw new UsageError('--detach belongs to: nunet deploy <file>')
    return await callBehavior({ ...invocation, path: [...invocation.path, deploymentNew.name] }, io)
  }
  for (const name of ['spec-file', 'dest']) {
    if (flags.isSet(name)) throw new UsageError(`--${name} and a file as an argument exclude each other`)
  }
  await deployFile(file, flags, io)
}

async function deployFile(file: string, flags: Flags, io: Io): Promise<void> {
  await loadSettings(flags, io) // a broken configuration is told before anything about the file
  const terms = await termsOf(deploymentNew.name, withFile(flags, file), io)
  const session = await openSession(flags, io)
  const id = idIn(await session.invoke(terms))
  if (flags.isOn('detach')) return await printLine(io, id)
  await note(io, `Deployment ${id}; Ctrl-C ends the watching, not the job`)
  const ending = await followed(id, session, io)
  if (ending.status === 'Completed') return
  if (ending.error.includes('no bid')) await explainSilence(session, io)
  throw failureOf(ending)
}

async function followed(id: string, session: Session, io: Io): Promise<Ending> {
  try {
    return await untilStopped(io, (signal) => follow({ session, id, io, signal }))
  } catch (error) {
    if (error instanceof CancelledError) {
      await note(io, `The deployment goes on. Look at it:  nunet actor cmd /dms/node/deployment/status -i ${id}`)
      await note(io, `                        End it:      nunet actor cmd /dms/node/deployment/shutdown -i ${id}`)
    }
    throw error
  }
}

/** A machine that is alone needs other advice than one whose peers do not want the job. */
async function explainSilence(session: Session, io: Io): Promise<void> {
  const reply = await session.invoke({ behavior: peersList.name, payload: null, timeout: ANSWER_TIME }).catch(() => undefined) // the failure itself is told
  const peers = reply === undefined ? undefined : peersList.reply.decode(reply)
  if (peers?.ok !== true) return
  const count = peers.value.upper.length
  await note(
    io,
    count === 0
      ? 'This machine is connected to no other: is the inviting machine switched on, and reachable from here? nunet join tries its addresses again.'
      : `This machine is connected to ${count === 1 ? 'another one' : `${count} others`}; none of them lends you what the job needs. Possible reasons: docs/guides/deploy.md, "Why nobody bids".`
  )
}

function failureOf({ error, directories }: Ending): DeploymentFailedError {
  const where = directories.length === 0 ? '' : `; its output is in ${directories.join(', ')}`
  return new DeploymentFailedError(`the deployment failed: ${error === '' ? 'see its events' : error}${where}`)
}

function idIn(reply: JsonValue): string {
  const failure = failureIn(reply)
  if (failure !== undefined) throw new RefusedReplyError(failure)
  const id = isJsonObject(reply) ? reply['EnsembleID'] : undefined
  if (typeof id === 'string' && /^\w{1,128}$/.test(id)) return id
  throw new RefusedReplyError('the node did not say the id of the deployment')
}

/** The flags as if the file had been given with `-f`. */
function withFile(flags: Flags, file: string): Flags {
  return { ...flags, text: (name) => (name === 'spec-file' ? file : flags.text(name)) }
}
