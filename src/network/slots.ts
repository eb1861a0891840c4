import { CancelledError } from '../base/index.ts'

/** A bounded number of places per key; those who find none wait in order. */
export interface Slots {
  /** Resolves with the release once a place of the key is free. Throws `BASE_CANCELLED` when the signal is aborted first. */
  acquire(key: string, signal: AbortSignal): Promise<() => void>
}

/** Creates {@link Slots} with `perKey` places for each key. */
export function createSlots(perKey: number): Slots {
  const taken = new Map<string, number>()
  const waiting = new Map<string, Set<() => void>>()

  function release(key: string): void {
    const [next] = waiting.get(key) ?? []
    if (next !== undefined) {
      next()
      return
    }
    const left = (taken.get(key) ?? 1) - 1
    if (left > 0) taken.set(key, left)
    else taken.delete(key)
  }

  function onceReleased(key: string): () => void {
    let isHeld = true
    return () => {
      if (isHeld) release(key)
      isHeld = false
    }
  }

  function leaveQueue(key: string, turn: () => void): void {
    const queue = waiting.get(key)
    queue?.delete(turn)
    if (queue?.size === 0) waiting.delete(key)
  }

  function wait(key: string, signal: AbortSignal): Promise<() => void> {
    const queue = waiting.get(key) ?? new Set()
    waiting.set(key, queue)
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        leaveQueue(key, turn)
        signal.removeEventListener('abort', giveUp)
        resolve(onceReleased(key))
      }
      const giveUp = (): void => {
        leaveQueue(key, turn)
        reject(new CancelledError(`waiting for a free stream to ${key} was cancelled`))
      }
      queue.add(turn)
      signal.addEventListener('abort', giveUp, { once: true })
    })
  }

  return {
    async acquire(key, signal) {
      if (signal.aborted) throw new CancelledError(`waiting for a free stream to ${key} was cancelled`)
      const count = taken.get(key) ?? 0
      if (count >= perKey) return wait(key, signal)
      taken.set(key, count + 1)
      return onceReleased(key)
    }
  }
}
