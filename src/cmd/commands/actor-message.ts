import { decodeEnvelope, type Envelope, encodeEnvelope, errorOf, isBroadcast, parsePayload } from '../../actor/index.ts'
import { type JsonValue, parseJson } from '../../base/index.ts'
import type { Composition } from '../../client/index.ts'
import type { Action, Flags } from '../command.ts'
import { UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import { printJson, printLine } from '../output.ts'
import { destinationOf, lifetimeOf, openClient, openSession } from '../sessions.ts'

/** `nunet actor msg <behavior> <payload>`: stdout has the sealed envelope in one line; the payload is JSON (B §11.3, 34). */
export const composeMessage: Action = async ({ args: [behavior = '', text = ''], flags }, io) => {
  const payload = parseJson(text)
  if (!payload.ok) throw new UsageError(`the payload must be JSON; a plain text is written '"text"': ${payload.error.message}`)
  const composition = compositionOf(flags, { behavior, payload: payload.value, ...lifetimeOf(flags) })
  const session = await openSession(flags, io)
  await printLine(io, encodeEnvelope(await session.compose(composition)))
}

/** `nunet actor send <msg>`: stdout has the answer of the node. */
export const sendMessage: Action = async ({ args: [text = ''], flags }, io) => {
  const envelope = await readEnvelope(text, io)
  const client = await openClient(flags, io)
  await printJson(io, await client.send(envelope))
}

/** `nunet actor invoke <msg>`: stdout has the payload of the reply. */
export const invokeMessage: Action = async ({ args: [text = ''], flags }, io) => {
  const envelope = await readEnvelope(text, io)
  if (envelope.replyTo === '') throw new UsageError('missing replyTo field in message: make it with nunet actor msg --invoke')
  const client = await openClient(flags, io)
  const payload = payloadOf(await client.invoke(envelope))
  const failure = errorOf(payload)
  if (failure !== undefined) throw failure
  await printJson(io, payload)
}

/** `nunet actor broadcast <msg>`: stdout has the list of the payloads of all replies. */
export const broadcastMessage: Action = async ({ args: [text = ''], flags }, io) => {
  const envelope = await readEnvelope(text, io)
  if (!isBroadcast(envelope)) throw new UsageError('message is not a broadcast message: make it with nunet actor msg --broadcast')
  const client = await openClient(flags, io)
  await printJson(io, (await client.broadcast(envelope)).map(payloadOf))
}

type Terms = Pick<Composition, 'behavior' | 'payload' | 'timeout' | 'expiresAt'>

function compositionOf(flags: Flags, terms: Terms): Composition {
  const topic = flags.text('broadcast')
  if (topic !== undefined) return { kind: 'broadcast', topic, ...terms }
  return { kind: flags.isOn('invoke') ? 'invoke' : 'send', ...destinationOf(flags), ...terms }
}

async function readEnvelope(text: string, io: Io): Promise<Envelope> {
  const envelope = decodeEnvelope(text === '-' ? await io.readInput() : text)
  if (envelope.ok) return envelope.value
  const { path, message } = envelope.error
  throw new UsageError(`could not unmarshal message: ${path === '' ? '' : `${path} `}${message}`)
}

function payloadOf({ payload }: Envelope): JsonValue {
  const json = parsePayload(payload)
  if (!json.ok) throw new UsageError(`the reply is not JSON: ${json.error.message}`)
  return json.value
}
