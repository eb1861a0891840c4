import { type Millis, seconds, toNanos } from '../base/index.ts'
import type { Token } from './types.ts'

/** Tokens that a context signed for one purpose, and on what. */
export interface SignedTokens {
  readonly tokens: readonly Token[]
  /** The provide anchors of the context then. */
  readonly provide: readonly Token[]
  /** UNIX nanoseconds: until when they hold. */
  readonly expiresAt: bigint
}

/**
 * The tokens that a context signed last, for each purpose, so that messages of the same kind to the same actor need no fresh
 * ones, and their receiver need not check any.
 *
 * They are signed for one message and not for longer, because a receiver does not believe a token that outlives the anchor that
 * it trusts. So a later message can outlive them a little: it is refused if it takes nearly all of its time to arrive.
 * Nothing comes out of the memory after the provide anchors of the context changed, be it by a revocation.
 */
export interface ReusableTokens {
  /** Tokens that hold nearly until `expiresAt`, if there are some. */
  find(purpose: string, provide: readonly Token[], expiresAt: bigint, now: Millis): readonly Token[] | undefined
  keep(purpose: string, signed: SignedTokens): void
}

/** How much earlier than the message its tokens may end: this, and a third of its time at most. */
const MOST_EARLY = toNanos(seconds(10))

/** Purposes that are remembered, those used last: a few kB each. */
const CAPACITY = 256

/** Creates an empty memory. */
export function createReusableTokens(capacity = CAPACITY): ReusableTokens {
  const remembered = new Map<string, SignedTokens>()

  return {
    find(purpose, provide, expiresAt, now) {
      const signed = remembered.get(purpose)
      if (signed === undefined) return undefined
      const third = (expiresAt - toNanos(now)) / 3n
      const isEnough = signed.expiresAt + (third < MOST_EARLY ? third : MOST_EARLY) >= expiresAt
      remembered.delete(purpose) // and to the end of the map: it is the one used last
      if (!isEnough || !isSame(signed.provide, provide)) return undefined
      remembered.set(purpose, signed)
      return signed.tokens
    },
    keep(purpose, signed) {
      remembered.delete(purpose)
      remembered.set(purpose, signed)
      const [oldest] = remembered.size > capacity ? remembered.keys() : []
      if (oldest !== undefined) remembered.delete(oldest)
    }
  }
}

function isSame(a: readonly Token[], b: readonly Token[]): boolean {
  return a.length === b.length && a.every((token, index) => token === b[index])
}
