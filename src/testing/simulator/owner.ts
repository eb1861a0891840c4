import { describeIssues, type JsonValue, type Millis, seconds } from '../../base/index.ts'
import { type Client, createSession } from '../../client/index.ts'
import type { PublicBehavior } from '../../protocol/index.ts'
import { type CapabilityContext, createContext } from '../../ucan/index.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { World } from './world.ts'

/** What an owner heard of a command. */
export type Answer<Reply> =
  | { readonly type: 'reply'; readonly reply: Reply }
  | { readonly type: 'error'; readonly error: unknown }
  /** The node died, or was not there: it may have done it or not. */
  | { readonly type: 'nothing' }

/** The owner of a node, with the command line: every command is a session of its own, as `nunet actor cmd` is. */
export interface Owner {
  readonly context: CapabilityContext
  /** Asks the own node, or with `destination` another one. Resolves at the latest a little after `timeout`. */
  ask<Request, Reply>(
    behavior: PublicBehavior<Request, Reply>,
    request: NoInfer<Request>,
    options?: { readonly timeout?: Millis; readonly destination?: string }
  ): Promise<Answer<Reply>>
  /** Publishes, and counts the replies. */
  broadcast<Request>(behavior: PublicBehavior<Request, unknown>, request: NoInfer<Request>, timeout: Millis): Promise<number>
}

/** How much longer than a message lives its sender waits. */
const GRACE_MS = 2000

/** Creates the owner of a node. */
export function createOwner(world: World, node: SimulatedNode): Owner {
  const random = node.chance.fork('owner')
  const context = createContext({ signer: node.user, random })

  /** The REST interface of the node, without the web. */
  function client(): Client | undefined {
    const { running } = node
    if (running === undefined) return undefined
    const { actors } = running
    return {
      handle: async () => actors.root.handle,
      send: (envelope) => actors.relaySend(envelope).then(() => ({ message: 'message sent' })),
      invoke: (envelope) => actors.relayInvoke(envelope),
      broadcast: (envelope) => actors.relayBroadcast(envelope),
      events: () => Promise.reject(new Error('there are no streams without the web'))
    }
  }

  function patiently<T>(timeout: Millis, work: Promise<Answer<T>>): Promise<Answer<T>> {
    return new Promise((resolve) => {
      const timer = world.after(timeout + GRACE_MS, () => resolve({ type: 'nothing' }))
      void work
        .catch((error: unknown): Answer<T> => ({ type: 'error', error }))
        .then((answer) => {
          world.cancel(timer)
          resolve(answer)
        })
    })
  }

  function session() {
    const usable = client()
    const clock = { now: () => node.now() as Millis, sleep: (duration: Millis) => world.sleep(duration) }
    return usable === undefined ? undefined : createSession({ client: usable, context, clock, random })
  }

  return {
    context,
    async ask(behavior, request, { timeout = seconds(30), destination } = {}) {
      const commands = session()
      if (commands === undefined) return { type: 'nothing' }
      const message = {
        behavior: behavior.name,
        payload: behavior.request.encode(request) as JsonValue,
        timeout,
        ...(destination === undefined ? {} : { destination })
      }
      return patiently(
        timeout,
        commands.invoke(message).then((payload) => {
          const reply = behavior.reply.decode(payload)
          if (!reply.ok) throw new Error(`bad reply to ${behavior.name}: ${describeIssues(reply.error)}`)
          return { type: 'reply', reply: reply.value } as const
        })
      )
    },
    async broadcast(behavior, request, timeout) {
      const commands = session()
      if (commands === undefined || behavior.topic === undefined) return 0
      const message = {
        behavior: behavior.name,
        topic: behavior.topic,
        payload: behavior.request.encode(request) as JsonValue,
        timeout
      }
      const answer = await patiently<number>(
        timeout,
        commands.broadcast(message).then((replies) => ({ type: 'reply', reply: replies.length }))
      )
      return answer.type === 'reply' ? answer.reply : 0
    }
  }
}
