import { connect, type Socket } from 'node:net'
import { type AbortOptions, type Clock, errorMessage, hasErrno, seconds, withTimeout } from '../base/index.ts'
import type { Did, Signer } from '../identity/index.ts'
import { AgentFailedError, AgentRefusedError, KeyLockedError } from './errors.ts'
import { encodeFrame, readFrame } from './frame.ts'
import { type AgentReply, type AgentRequest, encodeRequest, type KeyToUnlock, parseReply, type UnlockedKey } from './messages.ts'

/** How long the agent may take for an answer; it takes a millisecond. */
const PATIENCE = seconds(3)

/** The agent, as commands use it. Every call is a connection of its own. */
export interface Agent {
  /** What signs for a key that is unlocked; nothing when it is not, or when there is no agent, or none that answers. */
  find(name: string): Promise<Signer | undefined>
  /** The keys that it holds; nothing when there is no agent. Errors: `AGENT_FAILED`, `AGENT_REFUSED`. */
  list(): Promise<readonly UnlockedKey[] | undefined>
  /** Hands a key over; nothing when there is no agent. Errors: `AGENT_FAILED`, `AGENT_REFUSED`. */
  unlock(key: KeyToUnlock): Promise<UnlockedKey | undefined>
  /** Makes it forget one key, or all, and returns which. Errors: `AGENT_FAILED`, `AGENT_REFUSED`. */
  lock(name?: string): Promise<readonly UnlockedKey[]>
}

/** Creates the client of the agent at a socket; nothing is connected before a call. */
export function createAgentClient({ socketPath, clock }: { readonly socketPath: string; readonly clock: Clock }): Agent {
  const ask = (request: AgentRequest, options?: AbortOptions): Promise<AgentReply | undefined> =>
    exchange(socketPath, request, clock, options)

  async function sign(name: string, did: Did, message: Uint8Array, options?: AbortOptions): Promise<Uint8Array> {
    const { signature } = accepted(await ask({ type: 'sign', name, did, message }, options), name)
    if (signature === undefined || signature.length === 0) throw new AgentFailedError('the agent answered without a signature')
    return signature
  }

  return {
    async find(name) {
      // whatever is wrong with it, the passphrase still opens the key
      const reply = await ask({ type: 'find', name }).catch(() => undefined)
      const key = reply?.ok === true ? reply.keys?.[0] : undefined
      if (key?.name !== name) return undefined
      const did = key.did as Did
      return { did, sign: (message, options) => sign(name, did, message, options) }
    },
    async list() {
      const reply = await ask({ type: 'list' })
      return reply === undefined ? undefined : (accepted(reply).keys ?? [])
    },
    async unlock(key) {
      const reply = await ask({ type: 'unlock', ...key })
      return reply === undefined ? undefined : accepted(reply).keys?.[0]
    },
    async lock(name) {
      const reply = await ask({ type: 'lock', ...(name === undefined ? {} : { name }) })
      return reply === undefined ? [] : (accepted(reply).keys ?? [])
    }
  }
}

function accepted(reply: AgentReply | undefined, name = ''): Extract<AgentReply, { readonly ok: true }> {
  if (reply === undefined)
    throw new KeyLockedError(`the key ${name} is no longer unlocked: the agent has ended; unlock it again: nunet unlock ${name}`)
  if (reply.ok) return reply
  if (reply.reason === 'locked') throw new KeyLockedError(`${reply.message} any more; unlock it again: nunet unlock ${name}`)
  throw new AgentRefusedError(`the agent refuses: ${reply.message}`)
}

/** One request and its answer; nothing when no agent is there, or it ended before it took the request. */
async function exchange(
  socketPath: string,
  request: AgentRequest,
  clock: Clock,
  options?: AbortOptions
): Promise<AgentReply | undefined> {
  const socket = await open(socketPath)
  if (socket === undefined) return undefined
  try {
    return await withTimeout(
      clock,
      PATIENCE,
      `the agent at ${socketPath}`,
      (signal) => converse(socket, request, signal),
      options
    )
  } catch (error) {
    if (error instanceof AgentFailedError && isGone(error.cause)) return undefined
    throw error
  } finally {
    socket.destroy()
  }
}

async function converse(socket: Socket, request: AgentRequest, signal: AbortSignal): Promise<AgentReply> {
  const { header, body } = encodeRequest(request)
  const frame = encodeFrame(header, body)
  const answer = readFrame(socket, { signal })
  socket.write(frame, () => frame.fill(0))
  const reply = parseReply(await answer)
  if (!reply.ok) throw new AgentFailedError(`the agent's answer cannot be read: ${reply.error.path} ${reply.error.message}`)
  return reply.value
}

/** Nobody listens there, or whoever did has ended. */
function isGone(error: unknown): boolean {
  return ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].some((name) => hasErrno(error, name))
}

function open(socketPath: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath)
    const fail = (error: Error): void => {
      if (isGone(error)) resolve(undefined)
      else reject(new AgentFailedError(`cannot reach the agent at ${socketPath}: ${errorMessage(error)}`, { cause: error }))
    }
    socket.once('error', fail)
    socket.once('connect', () => {
      // what goes wrong from now on is noticed by whoever reads
      socket.off('error', fail).on('error', () => undefined)
      resolve(socket)
    })
  })
}
