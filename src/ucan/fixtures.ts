import { type Millis, millis, type Random, type Result, toNanos } from '../base/index.ts'
import { type ActorId, type Did, type KeyPair, keyPairFromSeed } from '../identity/index.ts'
import { createContext } from './context.ts'
import type { Anchors, CapabilityContext, GrantRequest, Token } from './types.ts'

/** The instant at which the tests of this module take place, 2024-09-27. For tests of this module only, as all of this file. */
export const NOW: Millis = millis(1_727_430_438_000)

/** UNIX nanoseconds `seconds` after {@link NOW}. */
export function inSeconds(seconds: number): bigint {
  return toNanos(NOW) + BigInt(seconds) * 1_000_000_000n
}

/** The value of a success; fails the test otherwise. */
export function successOf<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(`expected a success, got ${JSON.stringify(result.error)}`)
  return result.value
}

/** The reason of a refusal; fails the test otherwise. */
export function errorOf<E>(result: Result<unknown, E>): E {
  if (result.ok) throw new Error('expected a refusal')
  return result.error
}

/** The key of the seed `number`, `number`, … */
export function keyOf(number: number): KeyPair {
  return keyPairFromSeed(new Uint8Array(32).fill(number))
}

/** Different bytes on every call, the same in every run. */
export function createCountingRandom(): Random {
  let calls = 0
  return {
    bytes(length) {
      calls += 1
      return Uint8Array.from({ length }, (_, index) => (index < 4 ? (calls >>> (8 * index)) & 255 : length))
    }
  }
}

/** A context with the key `number`, and with such anchors. */
export function contextOf(number: number, anchors: Partial<Anchors> = {}): CapabilityContext {
  return createContext({
    signer: keyOf(number),
    random: createCountingRandom(),
    anchors: { roots: [], require: [], provide: [], revoke: [], ...anchors }
  })
}

/** An actor that only has a key. */
export function actorOf(number: number): { readonly id: ActorId; readonly did: Did } {
  const { actorId, did } = keyOf(number)
  return { id: actorId, did }
}

/** The restated `actor(R, caps)` of the vectors: trusts `root`, which grants it the capabilities for 120 s. */
export async function contextUnder(
  root: CapabilityContext,
  number: number,
  capabilities: readonly string[]
): Promise<CapabilityContext> {
  const grant = await root.grant({ subject: keyOf(number).did, capabilities, expiresAt: inSeconds(120) })
  return contextOf(number, { roots: [root.did], provide: [grant] })
}

/** A delegation of one context, `/test` for a minute unless said otherwise. */
export function grantOf(
  issuer: CapabilityContext,
  request: Partial<GrantRequest> & { readonly subject: string }
): Promise<Token> {
  return issuer.grant({ capabilities: ['/test'], expiresAt: inSeconds(60), ...request })
}
