import type { NetworkStats } from './types.ts'

/** The {@link NetworkStats} of one host while they change. */
export type Counters = { -readonly [Name in keyof NetworkStats]: number }

/** Creates counters that all stand at zero. */
export function createCounters(): Counters {
  return {
    framesSent: 0,
    framesReceived: 0,
    framesRefused: 0,
    framesRetried: 0,
    broadcastsSent: 0,
    broadcastsReceived: 0,
    broadcastsRefused: 0,
    keptStreams: 0,
    sending: 0,
    reading: 0
  }
}
