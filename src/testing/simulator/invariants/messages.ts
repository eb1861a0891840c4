import type { Observer } from '../observer.ts'
import type { SimulatedNode } from '../simulated-node.ts'
import type { World } from '../world.ts'

/** Requests that are remembered for their replies; the oldest are forgotten. */
const MAX_REQUESTS = 20_000

/** Paths that name one request: only its reply goes there. */
const REPLY_PATHS: readonly string[] = ['/dms/actor/replyto/', '/private/']

/**
 * A reply reaches only the asker, no message runs a handler twice in one life of a node, and nothing that a hostile peer hands
 * over runs a handler at all.
 */
export function messagesInvariant(world: World): Observer {
  /** By reply path: the actor that asked. */
  const askers = new Map<string, string>()
  const handled = new Map<SimulatedNode, Set<string>>()
  let hostileFrom: string | undefined

  return {
    started: (node) => void handled.set(node, new Set()),
    frameSent({ head, isHostile }) {
      if (head === undefined || isHostile) return
      if (head.replyTo !== '' && isReplyPath(head.replyTo) && !askers.has(head.replyTo)) {
        askers.set(head.replyTo, head.from)
        const [oldest] = askers.size > MAX_REQUESTS ? askers.keys() : []
        if (oldest !== undefined) askers.delete(oldest)
      }
      const asker = isReplyPath(head.behavior) ? askers.get(head.behavior) : undefined
      if (asker !== undefined && asker !== head.to) {
        world.violate('reply', `the reply ${head.behavior} goes to ${head.to}, asked had ${asker}`)
      }
    },
    frameArrives({ from, isHostile }) {
      hostileFrom = isHostile ? from : undefined
    },
    frameHandled({ from, to, inbox, isHostile }, refusal) {
      hostileFrom = undefined
      // Routers judge broadcasts and the relay judges the replies to clients; neither says what it refuses.
      const isJudgedElsewhere = inbox === '' || inbox.startsWith('user-')
      if (isHostile && !isJudgedElsewhere && refusal === '') {
        world.violate('capability', `${to} did not refuse what the hostile peer ${from} handed over`)
      }
    },
    handlerStarts({ node, actor, behavior, envelope }) {
      if (hostileFrom !== undefined) {
        world.violate('capability', `${node.name} ran ${behavior} for what the hostile peer ${hostileFrom} handed over`)
      }
      if (!isReplyPath(envelope.replyTo)) return
      const key = `${actor.inbox} ${envelope.from.id} ${envelope.replyTo}`
      const ofNode = handled.get(node) ?? new Set()
      if (ofNode.has(key)) world.violate('once', `${node.name} ran ${behavior} twice for one message of ${envelope.from.host}`)
      handled.set(node, ofNode.add(key))
    }
  }
}

function isReplyPath(path: string): boolean {
  return REPLY_PATHS.some((prefix) => path.startsWith(prefix))
}
