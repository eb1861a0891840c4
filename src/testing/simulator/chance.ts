import { createHash } from 'node:crypto'
import type { Random } from '../../base/index.ts'

/** All chance of a simulation, from one seed: the same seed and the same questions give the same answers on every machine. */
export interface Chance extends Random {
  /** A number in [0, 1). */
  unit(): number
  /** An integer in [from, to]. */
  between(from: number, to: number): number
  /** Whether something of this probability happens. */
  happens(probability: number): boolean
  /** One of them; throws when there are none. */
  pick<T>(items: readonly T[]): T
  /** A waiting time with this mean: the gap between events that know nothing of each other. */
  gap(mean: number): number
  /** Chance of its own for a part: what one part asks changes nothing for another. */
  fork(name: string): Chance
}

/** Creates the chance of a seed. The generator is sfc32, seeded with SHA-256: fast, and not for keys that anybody relies on. */
export function createChance(seed: string): Chance {
  const digest = createHash('sha256').update(seed).digest()
  let a = digest.readInt32LE(0)
  let b = digest.readInt32LE(4)
  let c = digest.readInt32LE(8)
  let counter = digest.readInt32LE(12)

  function next(): number {
    const result = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + result) | 0
    return result >>> 0
  }

  for (let round = 0; round < 12; round += 1) next()
  const unit = (): number => next() / 2 ** 32
  const between = (from: number, to: number): number => from + Math.floor(unit() * (to - from + 1))
  return {
    unit,
    between,
    happens: (probability) => unit() < probability,
    pick(items) {
      const item = items[between(0, items.length - 1)]
      if (item === undefined) throw new Error('nothing to pick from')
      return item
    },
    gap: (mean) => -Math.log(1 - unit()) * mean,
    fork: (name) => createChance(`${seed}/${name}`),
    bytes(length) {
      const bytes = new Uint8Array(length)
      for (let index = 0; index < length; index += 1) bytes[index] = next() & 0xff
      return bytes
    }
  }
}
