import { type Clock, describeIssues, errorMessage, type Logger, type Millis } from '../base/index.ts'
import { type Behavior, type Handler, SILENCE, type VerifiedEnvelope } from './behavior.ts'
import type { Envelope } from './envelope.ts'
import { BadPayloadError, InboxTakenError, OverdueError, UnknownBehaviorError } from './errors.ts'
import { createHandlerTime, type HandlerTime } from './handler-time.ts'
import { parsePayload } from './verify.ts'

/** The behaviours of one actor, and how their handlers run. */
export interface Runner {
  /** Serves a behaviour; returns its end. Throws `ACTOR_INBOX_TAKEN` when the path is served already. */
  on<Request, Reply>(behavior: Behavior<Request, Reply>, handler: Handler<Request, Reply>): () => void
  /**
   * Runs the handler of a message and resolves with the encoded reply, or {@link SILENCE}.
   *
   * @throws UnknownBehaviorError, BadPayloadError, what the handler throws, and OverdueError for a handler that goes on after its
   * message has expired: its place is given to others, whatever it does then.
   */
  run(envelope: Envelope, verified: VerifiedEnvelope): Promise<unknown>
}

/** What a runner is made of. */
export interface RunnerOptions {
  readonly clock: Clock
  readonly log: Logger
  /** How long a handler may go on after its message has expired. */
  readonly overtime: Millis
  /** Aborted when the actor ends. */
  readonly lifetime: AbortSignal
}

interface Registered {
  readonly behavior: Behavior<unknown, unknown>
  readonly handler: Handler<unknown, unknown>
}

/** Creates a runner without behaviours. */
export function createRunner({ clock, log, overtime, lifetime }: RunnerOptions): Runner {
  const behaviors = new Map<string, Registered>()

  function find({ behavior, topic }: Envelope, { isBroadcast }: VerifiedEnvelope): Registered | undefined {
    const registered = behaviors.get(behavior)
    if (registered === undefined) throw new UnknownBehaviorError(`there is no behaviour ${behavior} here`)
    return isBroadcast && registered.behavior.topic !== topic ? undefined : registered
  }

  function decode(envelope: Envelope, behavior: Behavior<unknown, unknown>): unknown {
    const payload = parsePayload(envelope.payload)
    if (!payload.ok) throw new BadPayloadError(`the payload of ${envelope.behavior} is not JSON: ${payload.error.message}`)
    const request = behavior.request.decode(payload.value)
    if (!request.ok) throw new BadPayloadError(`bad request for ${envelope.behavior}: ${describeIssues(request.error)}`)
    return request.value
  }

  /** Runs a handler, and waits for it as long as it may take. */
  function handle({ handler }: Registered, request: unknown, verified: VerifiedEnvelope): Promise<unknown> {
    const { behavior, expiresAt } = verified
    return new Promise((resolve, reject) => {
      const onOverdue = (): void => {
        reject(new OverdueError(`${behavior} goes on ${overtime} ms after its message has expired`))
        handled.catch((late: unknown) => log.debug('an overdue handler failed', { error: errorMessage(late) }))
      }
      const time = createHandlerTime({ clock, expiresAt, overtime, lifetime, onOverdue })
      const handled = call(handler, request, verified, time)
      handled.then(resolve, reject)
    })
  }

  return {
    on(behavior, handler) {
      if (behaviors.has(behavior.name)) throw new InboxTakenError(`${behavior.name} is served already`)
      // Its own codec decodes what its own handler gets, so forgetting the types here is safe.
      const registered: Registered = { behavior, handler: handler as Registered['handler'] }
      behaviors.set(behavior.name, registered)
      return () => {
        if (behaviors.get(behavior.name) === registered) behaviors.delete(behavior.name)
      }
    },
    async run(envelope, verified) {
      const registered = find(envelope, verified)
      if (registered === undefined) return SILENCE
      const { behavior } = registered
      const reply = await handle(registered, decode(envelope, behavior), verified)
      return reply === SILENCE ? SILENCE : behavior.reply.encode(reply)
    }
  }
}

/** Calls a handler; what it throws before it returns is a rejection too. */
async function call(
  handler: Handler<unknown, unknown>,
  request: unknown,
  verified: VerifiedEnvelope,
  time: HandlerTime
): Promise<unknown> {
  try {
    return await handler(request, verified, time)
  } finally {
    time.end()
  }
}
