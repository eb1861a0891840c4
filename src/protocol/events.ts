import { define } from './behavior.ts'
import { integer, list, maybe, member, object, quantity, text } from './codec.ts'

/** Events of one reply at most. */
export const MAX_EVENTS = 500

/** Something that happened on a node; `subject` is the peer, deployment, allocation or executor that it happened to. */
export const nodeEvent = object({
  id: member('id', text(64)),
  type: member('type', text(64)),
  at: member('at', text(64)),
  subject: member('subject', text(512)),
  status: member('status', text(64)),
  deployment: maybe('deployment', text(256)),
  reason: maybe('reason', text()),
  offer: maybe(
    'offer',
    object({
      cores: member('cores', quantity(1_000_000)),
      memory: member('memory', integer({ min: 0 })),
      disk: member('disk', integer({ min: 0 }))
    })
  )
})

/** The latest events, and the way to those that follow. Ours: the reference has none (B §8). */
export const nodeEvents = define({
  name: '/dms/node/events',
  callers: 'root',
  summary:
    'What happened on the node after the event `after`, oldest first: peers, deployments, allocations, executors and the offer. The ticket `stream` is redeemed by the REST interface alone.',
  request: object({ after: maybe('after', text(64)), limit: maybe('limit', integer({ min: 1, max: MAX_EVENTS })) }),
  reply: object({
    events: member('events', list(nodeEvent, MAX_EVENTS)),
    last: member('last', text(64)),
    stream: member('stream', text(64))
  })
})
