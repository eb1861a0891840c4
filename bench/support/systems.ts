import type { ActorSystem, ActorSystemOptions, MessageTransport } from '../../src/actor/index.ts'
import { silentLogger, systemClock, systemRandom } from '../../src/base/index.ts'
import { createCounters } from '../../src/telemetry/index.ts'
import type { Dms } from './dms.ts'
import type { Party } from './link.ts'

/** A benchmark asks faster, and longer, than anybody is served by a node in production. */
const UNTHROTTLED: ActorSystemOptions['limits'] = {
  callerMessages: { capacity: Number.MAX_SAFE_INTEGER, perSecond: Number.MAX_SAFE_INTEGER },
  remembered: Number.MAX_SAFE_INTEGER
}

/** The actors of a party, on a transport; `limits` are those that differ from production. */
export function createActors(
  { actor }: Dms,
  { key, context }: Party,
  transport: MessageTransport,
  limits: ActorSystemOptions['limits'] = {}
): ActorSystem {
  return actor.createActorSystem({
    key,
    context: context(),
    transport,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    counters: createCounters(),
    limits: { ...UNTHROTTLED, ...limits }
  })
}
