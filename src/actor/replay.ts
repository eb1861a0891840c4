/** Remembers authorised messages until they expire, so that none is accepted twice (A, W3; B §11.1, 1). */
export interface ReplayWindow {
  /** Whether this message was accepted before. */
  has(senderId: string, nonce: bigint): boolean
  /** Records an accepted message; false when too many messages of its caller, or of all, are still valid. */
  add(message: AcceptedMessage): boolean
  readonly size: number
}

/** What the window keeps of a message; times are UNIX nanoseconds. */
export interface AcceptedMessage {
  /** The DID in whose name the sender acts: one caller never fills the window for the others. */
  readonly caller: string
  readonly senderId: string
  readonly nonce: bigint
  readonly expiresAt: bigint
  readonly now: bigint
}

/** How often expired messages are looked for. */
const SWEEP_NANOS = 10_000_000_000n

/** Share of the window that one caller may hold. */
const CALLER_SHARE = 16

/** Creates a window for at most `capacity` unexpired messages. */
export function createReplayWindow(capacity = 100_000): ReplayWindow {
  const seen = new Map<string, { readonly caller: string; readonly expiresAt: bigint }>()
  const callers = new Map<string, number>()
  let nextSweep = 0n

  function sweep(now: bigint): void {
    if (now < nextSweep) return
    nextSweep = now + SWEEP_NANOS
    for (const [key, { caller, expiresAt }] of seen) {
      if (expiresAt >= now) continue
      seen.delete(key)
      const left = (callers.get(caller) ?? 1) - 1
      if (left === 0) callers.delete(caller)
      else callers.set(caller, left)
    }
  }

  return {
    has: (senderId, nonce) => seen.has(keyOf(senderId, nonce)),
    add({ caller, senderId, nonce, expiresAt, now }) {
      sweep(now)
      const held = callers.get(caller) ?? 0
      if (seen.size >= capacity || held >= capacity / CALLER_SHARE) return false
      seen.set(keyOf(senderId, nonce), { caller, expiresAt })
      callers.set(caller, held + 1)
      return true
    },
    get size() {
      return seen.size
    }
  }
}

function keyOf(senderId: string, nonce: bigint): string {
  return `${senderId}:${nonce}`
}
