import type { ActorSystem, ActorSystemOptions, MessageTransport } from '../../src/actor/index.ts'
import { silentLogger, systemClock, systemRandom } from '../../src/base/index.ts'
import { createCounters } from '../../src/telemetry/index.ts'
import type { Dms } from './dms.ts'
import type { Party } from './link.ts'

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
    limits,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    counters: createCounters()
  })
}
