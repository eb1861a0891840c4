import { randomBytes } from 'node:crypto'

/** The only source of randomness of the domain: seeded in tests and in the simulator. */
export interface Random {
  /** `length` random bytes. */
  bytes(length: number): Uint8Array
}

/** The randomness of the operating system. */
export const systemRandom: Random = { bytes: (length) => new Uint8Array(randomBytes(length)) }

/** An integer in [0, bound), unbiased enough for scheduling (bound ≤ 2^31). */
export function randomInt(random: Random, bound: number): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = random.bytes(6)
  const value = (((a * 256 + b) * 256 + c) * 256 + d) * 65_536 + e * 256 + f
  return value % bound
}

/** A lower-case hexadecimal text of `length` random bytes. */
export function randomHex(random: Random, length: number): string {
  return Buffer.from(random.bytes(length)).toString('hex')
}

/** A copy of `items` in random order. */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const copy = [...items]
  for (let i = copy.length - 1; i > 0; i -= 1) {
    const j = randomInt(random, i + 1)
    const [a, b] = [copy[i], copy[j]]
    if (a !== undefined && b !== undefined) [copy[i], copy[j]] = [b, a]
  }
  return copy
}
