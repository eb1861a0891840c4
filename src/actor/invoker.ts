import {
  CancelledError,
  type Clock,
  describeIssues,
  EXIT_CODES,
  isJsonObject,
  type JsonValue,
  type LinkedSignal,
  linkSignals,
  type Millis,
  millis,
  type Random,
  randomHex,
  setAlarm
} from '../base/index.ts'
import type { Behavior } from './behavior.ts'
import { CHUNK_SUFFIX, chunkedOf, collectChunks } from './chunks.ts'
import type { Envelope } from './envelope.ts'
import { BadPayloadError, NoReplyError, RemoteError } from './errors.ts'
import type { Handle } from './handle.ts'
import { DEFAULT_TIMEOUT, type Outbox, REPLY_PATH } from './outbox.ts'
import { toPayload } from './replies.ts'
import type { SendOptions } from './types.ts'
import { parsePayload } from './verify.ts'

/** What an actor asks others, and the replies that it waits for. */
export interface Invoker {
  /** As `Actor.invoke`: one deadline for everything that is needed, large replies included. */
  invoke<Request, Reply>(to: Handle, behavior: Behavior<Request, Reply>, request: Request, options?: SendOptions): Promise<Reply>
  /** Whether a message claims to be a reply that somebody here waits for, from the actor that was asked. */
  awaits(envelope: Envelope): boolean
  /** Takes a verified message that is a reply; what became of it, or nothing when nobody waits for it. */
  accept(envelope: Envelope): 'accepted' | 'unexpected' | undefined
}

/** What an invoker is made of. */
export interface InvokerOptions {
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  /** Aborted when the actor ends. */
  readonly lifetime: AbortSignal
}

interface Question {
  readonly to: Handle
  readonly behavior: string
  readonly payload: Uint8Array
}

interface PendingReply {
  readonly from: string
  readonly accept: (payload: JsonValue) => void
}

/** Before a node is asked again that came back a moment ago: by then it can tell that the question is new. */
const RESTART_PAUSE = millis(1100)

/** Creates an invoker that waits for nothing yet. */
export function createInvoker({ outbox, clock, random, lifetime }: InvokerOptions): Invoker {
  const pending = new Map<string, PendingReply>()

  /** Asks once, and resolves with the payload of the reply. What is under way of the question ends with `abort`. */
  async function ask(question: Question, timeout: Millis, abort: LinkedSignal): Promise<JsonValue> {
    const replyTo = `${REPLY_PATH}${BigInt(`0x${randomHex(random, 8)}`)}`
    const { to, behavior } = question
    let endAlarm: (() => void) | undefined
    let cancel: (() => void) | undefined
    try {
      return await new Promise<JsonValue>((accept, reject) => {
        cancel = () => reject(new CancelledError(`the request for ${behavior} was cancelled`))
        if (abort.signal.aborted) cancel()
        abort.signal.addEventListener('abort', cancel, { once: true })
        endAlarm = setAlarm(clock, timeout, () =>
          reject(new NoReplyError(`request timeout: no reply to ${behavior} from ${to.did} within ${timeout} ms`))
        )
        pending.set(replyTo, { from: to.id, accept })
        outbox
          .seal({ ...question, timeout, replyTo }, abort)
          .then((sealed) => outbox.post(sealed, abort))
          .catch(reject)
      })
    } finally {
      pending.delete(replyTo)
      endAlarm?.()
      if (cancel !== undefined) abort.signal.removeEventListener('abort', cancel)
    }
  }

  /** Asks until the reply is not that the other side came back a moment ago: then it did nothing with the question. */
  async function askPatiently(question: Question, deadline: number, abort: LinkedSignal): Promise<JsonValue> {
    for (;;) {
      const payload = await ask(question, millis(Math.max(0, deadline - clock.now())), abort)
      if (!isRestarted(payload) || clock.now() + RESTART_PAUSE >= deadline) return payload
      await clock.sleep(RESTART_PAUSE, abort)
    }
  }

  async function askForAll(question: Question, deadline: number, abort: LinkedSignal): Promise<JsonValue> {
    const payload = await askPatiently(question, deadline, abort)
    const chunked = chunkedOf(payload)
    if (chunked === undefined) return payload
    const { to, behavior } = question
    return collectChunks(chunked, async (request) => {
      const piece = { to, behavior: behavior + CHUNK_SUFFIX, payload: toPayload(request) }
      const reply = await askPatiently(piece, deadline, abort)
      const failure = errorOf(reply)
      if (failure !== undefined) throw failure
      return reply
    })
  }

  return {
    async invoke(to, behavior, request, { timeout = DEFAULT_TIMEOUT, signal } = {}) {
      const abort = linkSignals(signal, lifetime)
      const question = { to, behavior: behavior.name, payload: toPayload(behavior.request.encode(request)) }
      try {
        return decodeReply(behavior, await askForAll(question, clock.now() + timeout, abort))
      } finally {
        abort.end()
      }
    },
    awaits: ({ behavior, from }) => pending.get(behavior)?.from === from.id,
    accept({ behavior, from, payload }) {
      const waiting = pending.get(behavior)
      if (waiting === undefined) return undefined
      const parsed = parsePayload(payload)
      if (waiting.from !== from.id || !parsed.ok) return 'unexpected'
      waiting.accept(parsed.value)
      return 'accepted'
    }
  }
}

function decodeReply<Reply>(behavior: Pick<Behavior<unknown, Reply>, 'name' | 'reply'>, payload: JsonValue): Reply {
  const failure = errorOf(payload)
  if (failure !== undefined) throw failure
  const reply = behavior.reply.decode(payload)
  if (!reply.ok) throw new BadPayloadError(`bad reply to ${behavior.name}: ${describeIssues(reply.error)}`)
  return reply.value
}

const KINDS: ReadonlySet<string> = new Set(Object.keys(EXIT_CODES))

/** The error inside a reply, where it is one of ours: `{code, kind, message}`. */
export function errorOf(payload: JsonValue): RemoteError | undefined {
  if (!isJsonObject(payload)) return undefined
  const { code, kind, message } = payload
  if (typeof code !== 'string' || typeof kind !== 'string' || typeof message !== 'string' || !KINDS.has(kind)) return undefined
  return new RemoteError(message, code, kind as RemoteError['kind'])
}

function isRestarted(payload: JsonValue): boolean {
  return errorOf(payload)?.code === 'ACTOR_RESTARTED'
}
