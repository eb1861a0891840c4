import { DEFAULT_TIMEOUT } from '../../actor/index.ts'
import { fromNanos, invariant, isJsonObject, type JsonValue, type Millis, millis } from '../../base/index.ts'
import type { MessageTerms } from '../../client/index.ts'
import { BEHAVIORS } from '../behaviors.ts'
import type { Action, Flags } from '../command.ts'
import { RefusedReplyError } from '../errors.ts'
import type { Io } from '../io.ts'
import { printJson } from '../output.ts'
import type { Call } from '../payloads.ts'
import { withProgress } from '../progress.ts'
import { destinationOf, lifetimeOf, openSession } from '../sessions.ts'

/**
 * `nunet actor cmd <behaviour>`: stdout has the payload of the reply as JSON, for broadcasts the list of all, and nothing else.
 *
 * @throws RemoteError when the reply is an error, RefusedReplyError when a change was answered with one inside the payload.
 */
export const callBehavior: Action = async ({ path, flags }, io) => {
  const name = path.at(-1) ?? ''
  const call = await callOf(name)
  const reply = await exchange(call, flags, io)
  await printJson(io, reply)
  const failure = call.isChange ? failureIn(reply) : undefined
  if (failure !== undefined) throw new RefusedReplyError(failure)
}

/** The reply of the node to one behaviour, with the payload that the flags ask for. */
export async function askNode(name: string, flags: Flags, io: Io): Promise<JsonValue> {
  return await exchange(await callOf(name), flags, io)
}

async function callOf(name: string): Promise<Call> {
  if (BEHAVIORS.some((behavior) => behavior.name === name && behavior.isPlain === true)) {
    return { name, isChange: false, payload: async () => null }
  }
  const { CALLS } = await import('../payloads.ts')
  const call = CALLS.find((candidate) => candidate.name === name)
  invariant(call !== undefined, `${name} has flags but no payload`)
  return call
}

type Lifetime = ReturnType<typeof lifetimeOf>

/** The message to one node that the flags of a behaviour ask for. */
export async function termsOf(name: string, flags: Flags, io: Io): Promise<MessageTerms> {
  return await termsOfCall(await callOf(name), flags, io)
}

async function termsOfCall(call: Call, flags: Flags, io: Io): Promise<MessageTerms> {
  const payload = await call.payload(flags, io)
  return { behavior: call.name, payload, ...withDefault(lifetimeOf(flags), call.name) }
}

async function exchange(call: Call, flags: Flags, io: Io): Promise<JsonValue> {
  const terms = await termsOfCall(call, flags, io)
  const session = await openSession(flags, io)
  const { topic } = call
  const limit = timeLeft(terms, io)
  if (topic !== undefined) {
    return await withProgress(io, { text: `collecting the replies to ${call.name}`, limit }, () =>
      session.broadcast({ ...terms, topic })
    )
  }
  return await withProgress(io, { text: `waiting for the reply to ${call.name}`, limit }, () =>
    session.invoke({ ...terms, ...destinationOf(flags) })
  )
}

function timeLeft({ timeout, expiresAt }: MessageTerms, { clock }: Io): Millis {
  if (timeout !== undefined) return timeout
  return expiresAt === undefined ? DEFAULT_TIMEOUT : millis(Math.max(0, fromNanos(expiresAt) - clock.now()))
}

/** Some behaviours need longer than the usual 30 s (B §11.3, 36). */
function withDefault(lifetime: Lifetime, name: string): Lifetime {
  const timeout = BEHAVIORS.find((behavior) => behavior.name === name)?.timeout
  const isGiven = lifetime.timeout !== undefined || lifetime.expiresAt !== undefined
  return isGiven || timeout === undefined ? lifetime : { timeout }
}

/** The error that a reply carries among its members, under any of the names that nodes use. */
export function failureIn(reply: JsonValue): string | undefined {
  if (!isJsonObject(reply)) return undefined
  const members = new Map(Object.entries(reply).map(([name, value]) => [name.toLowerCase(), value]))
  const error = members.get('error')
  if (typeof error === 'string' && error !== '') return error
  const refused = ['success', 'ok'].find((name) => members.get(name) === false)
  if (refused === undefined) return undefined
  const message = members.get('message')
  return typeof message === 'string' && message !== '' ? message : `the node answered ${refused}: false`
}
