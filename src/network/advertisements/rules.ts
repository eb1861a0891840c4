import type { Selectors, Validators } from '@libp2p/kad-dht'
import type { Clock } from '../../base/index.ts'
import { readAdvertisement, timestampOf } from './record.ts'

/** Which records the hash tables store, and which one counts. */
export interface RecordRules {
  readonly validators: Validators
  readonly selectors: Selectors
}

/** The rules for advertisements: only good ones are stored and passed on, and the newest counts. */
export function advertisementRules(namespace: string, clock: Clock): RecordRules {
  return {
    validators: {
      [namespace]: async (key, value) => {
        const read = await readAdvertisement(key, value, { namespace, now: clock.now() })
        if (!read.ok) throw new Error(read.error)
      }
    },
    selectors: {
      [namespace]: (_key, records) => {
        const times = records.map(timestampOf)
        return times.reduce((best, time, index) => (time > (times[best] ?? -1n) ? index : best), 0)
      }
    }
  }
}
