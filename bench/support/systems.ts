import type { ActorSystem, MessageTransport } from '../../src/actor/index.ts'
import { silentLogger, systemClock, systemRandom } from '../../src/base/index.ts'
import { createCounters } from '../../src/telemetry/index.ts'
import type { Dms } from './dms.ts'
import type { Party } from './link.ts'

/** A benchmark asks faster, and longer, than anybody is served by a node in production. */
const AS_MUCH_AS_COMES = { capacity: Number.MAX_SAFE_INTEGER, perSecond: Number.MAX_SAFE_INTEGER }

/** The actors of a party, on a transport. */
export function createActors({ actor }: Dms, { key, context }: Party, transport: MessageTransport): ActorSystem {
  return actor.createActorSystem({
    key,
    context: context(),
    transport,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    counters: createCounters(),
    limits: { callerMessages: AS_MUCH_AS_COMES, remembered: Number.MAX_SAFE_INTEGER }
  })
}
