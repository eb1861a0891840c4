/** Remembers authorised messages until they expire, so that none is accepted twice (A, W3; B §11.1, 1). */
export interface ReplayWindow {
  /** Whether this message was accepted before. */
  has(senderId: string, nonce: bigint): boolean
  /** Records an accepted message; false when the window is full of messages that are still valid. */
  add(senderId: string, nonce: bigint, expiresAt: bigint, now: bigint): boolean
  readonly size: number
}

/** Creates a window for at most `capacity` unexpired messages. */
export function createReplayWindow(capacity = 100_000): ReplayWindow {
  const seen = new Map<string, bigint>()
  const keyOf = (senderId: string, nonce: bigint): string => `${senderId}:${nonce}`

  function sweep(now: bigint): void {
    for (const [key, expiresAt] of seen) if (expiresAt < now) seen.delete(key)
  }

  let nextSweep = 0n
  return {
    has: (senderId, nonce) => seen.has(keyOf(senderId, nonce)),
    add(senderId, nonce, expiresAt, now) {
      if (now >= nextSweep || seen.size >= capacity) {
        sweep(now)
        nextSweep = now + 10_000_000_000n
      }
      if (seen.size >= capacity) return false
      seen.set(keyOf(senderId, nonce), expiresAt)
      return true
    },
    get size() {
      return seen.size
    }
  }
}
