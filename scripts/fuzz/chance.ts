import type { Random } from '../../src/base/index.ts'

/** Repeatable randomness: the same seed and input number make the same choices, on every machine. */
export interface Chance extends Random {
  /** An integer in [0, bound). */
  int(bound: number): number
  /** True once in `n` times. */
  oneIn(n: number): boolean
  /** One of the items. */
  pick<T>(items: readonly T[]): T
}

/** Creates the choices of input number `index` of a run; Bob Jenkins' small generator of 128 bits. */
export function createChance(seed: number, index: number): Chance {
  let [a, b, c, counter] = [seed | 0, Math.floor(seed / 2 ** 32) | 0, index | 0, 1]

  function next(): number {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }

  for (let round = 0; round < 16; round += 1) next()
  const int = (bound: number): number => next() % bound
  return {
    int,
    oneIn: (n) => int(n) === 0,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new RangeError('there is nothing to choose from')
      return items[int(items.length)] as T // the index is below the length
    },
    bytes: (length) => Uint8Array.from({ length }, () => next() & 255)
  }
}
