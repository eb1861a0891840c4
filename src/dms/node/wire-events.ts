import { type JsonValue, unreachable } from '../../base/index.ts'
import { nodeEvent, type ValueOf } from '../../protocol/index.ts'
import type { NodeEvent, RecordedEvent } from '../events.ts'

/** An event in the form of the protocol. */
export function describeEvent({ id, at, event }: RecordedEvent): ValueOf<typeof nodeEvent> {
  return { id, at: new Date(at).toISOString(), type: event.type, status: event.status, ...detailsOf(event) }
}

/** The same as JSON. */
export function toWireEvent(recorded: RecordedEvent): JsonValue {
  return nodeEvent.encode(describeEvent(recorded)) as JsonValue
}

function detailsOf(event: NodeEvent): Pick<ValueOf<typeof nodeEvent>, 'subject' | 'deployment' | 'reason' | 'offer'> {
  switch (event.type) {
    case 'peer':
      return { subject: event.peer }
    case 'deployment':
      return { subject: event.deployment }
    case 'allocation':
      return { subject: event.allocation, deployment: event.deployment }
    case 'executor':
      return { subject: event.executor, ...(event.reason === '' ? {} : { reason: event.reason.slice(0, 500) }) }
    case 'offer': {
      const { cpuCores, memory, disk } = event.amount
      return { subject: '', ...(event.status === 'lent' ? { offer: { cores: cpuCores, memory, disk } } : {}) }
    }
    default:
      return unreachable(event)
  }
}
