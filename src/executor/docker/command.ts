import { CancelledError, isJsonObject } from '../../base/index.ts'
import { ExecutorFailedError, ExecutorUnknownHandleError } from '../errors.ts'
import type { ExecOptions, ExecResult } from '../executor.ts'
import { type DockerAnswer, type DockerClient, refusalText, unavailable } from './client.ts'
import { readFrames } from './frames.ts'

/** Docker's names of commands are hexadecimal; nothing else gets into a path of its API. */
const COMMAND_ID = /^[0-9a-f]{64}$/

/**
 * Runs a command inside of a container as its user, and waits for its end.
 *
 * Docker has no way to end a command, so that one whose signal is aborted is killed by its process on this machine, which needs the
 * rights to do so; without them it goes on until the container ends.
 */
export async function runInside(
  client: DockerClient,
  container: string,
  command: readonly string[],
  { maxOutput, signal }: ExecOptions
): Promise<ExecResult> {
  if (isAborted(signal)) throw new CancelledError('the command was cancelled')
  const id = await createCommand(client, container, command)
  const parts: Uint8Array[] = []
  let left: number = maxOutput
  let isCut = false
  try {
    const stream = await client.stream(
      {
        method: 'POST',
        path: `/exec/${id}/start`,
        body: { Detach: false, Tty: false },
        ...(signal === undefined ? {} : { signal })
      },
      (answer) => refusal(container, answer)
    )
    for await (const { data } of readFrames(stream)) {
      if (left > 0) parts.push(Buffer.from(data.subarray(0, left)))
      isCut ||= data.length > left
      left = Math.max(0, left - data.length)
    }
  } catch (error) {
    if (!isAborted(signal)) throw unavailable('its socket', error)
  }
  if (isAborted(signal)) {
    await killCommand(client, id)
    throw new CancelledError('the command was cancelled')
  }
  return { code: (await inspectCommand(client, id)).code, output: Buffer.concat(parts), isCut }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

async function createCommand(client: DockerClient, container: string, command: readonly string[]): Promise<string> {
  const answer = await client.call({
    method: 'POST',
    path: `/containers/${container}/exec`,
    body: { AttachStdout: true, AttachStderr: true, Tty: false, Cmd: command }
  })
  const id = isJsonObject(answer.body) ? answer.body['Id'] : undefined
  if (answer.status !== 201 || typeof id !== 'string' || !COMMAND_ID.test(id)) throw refusal(container, answer)
  return id
}

function refusal(container: string, answer: DockerAnswer): ExecutorFailedError | ExecutorUnknownHandleError {
  if (answer.status === 404) return new ExecutorUnknownHandleError(`there is no container ${container}`)
  return new ExecutorFailedError(`cannot run a command in container ${container}: ${refusalText(answer)}`)
}

async function inspectCommand(client: DockerClient, id: string): Promise<{ readonly code: number; readonly pid: number }> {
  const answer = await client.call({ method: 'GET', path: `/exec/${id}/json` })
  if (answer.status !== 200 || !isJsonObject(answer.body)) {
    throw new ExecutorFailedError(`the end of a command is not known: ${refusalText(answer)}`)
  }
  const { ExitCode: code, Pid: pid } = answer.body
  return { code: typeof code === 'number' ? code : -1, pid: typeof pid === 'number' ? pid : 0 }
}

async function killCommand(client: DockerClient, id: string): Promise<void> {
  try {
    const { pid } = await inspectCommand(client, id)
    if (pid > 1) process.kill(pid, 'SIGKILL')
  } catch {
    // It ended meanwhile, this process may not end it, or Docker is away: the container's end ends it in any case.
  }
}
