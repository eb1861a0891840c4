import { type Clock, err, type Millis, millis, ok, type Result } from '../base/index.ts'
import { type Did, importKeyPair } from '../identity/index.ts'
import { digestOf } from './digest.ts'
import type { KeyToUnlock, UnlockedKey } from './messages.ts'

/** More keys are not held. */
const MAX_KEYS = 64

/** What {@link createKeyRing} needs. */
export interface KeyRingOptions {
  /** The time of day, which also passes while the machine sleeps. */
  readonly clock: Clock
  /** Time that nobody can set back; it may stand still while the machine sleeps. */
  readonly uptime: () => Millis
  /** The text of a file; nothing when it is missing or cannot be read. */
  readonly readFile: (path: string) => Promise<string | undefined>
}

/** Unlocked keys in memory; each for its time, and only while its file stays as it was. */
export interface KeyRing {
  /** Holds a key; one that it holds already is replaced, and its time begins anew. Takes the bytes of the key over. */
  unlock(key: KeyToUnlock): Result<UnlockedKey, string>
  /** The key of that name, while its time and its file allow it; drops it otherwise. */
  find(name: string): Promise<UnlockedKey | undefined>
  /** The signature of a key that {@link KeyRing.find} finds and that has this DID. */
  sign(name: string, did: string, message: Uint8Array): Promise<Uint8Array | undefined>
  /** All keys that {@link KeyRing.find} finds, by name. */
  list(): Promise<readonly UnlockedKey[]>
  /** Forgets one key, or all. */
  lock(name?: string): readonly UnlockedKey[]
  /** Forgets every key whose time is over. */
  dropExpired(): void
  readonly size: number
  /** How long until the next key's time is over; nothing when there is none. */
  readonly nextExpiry: Millis | undefined
}

interface HeldKey {
  readonly name: string
  readonly did: Did
  readonly path: string
  readonly digest: string
  /** The only copy that lasts: signing makes short-lived ones. */
  readonly privateKey: Uint8Array
  readonly lifetime: Millis
  readonly unlockedAt: { readonly clock: Millis; readonly uptime: Millis }
}

/**
 * Creates an empty key ring.
 *
 * A key's time is over when either clock says so: setting the time of day back, or sleeping, prolongs nothing.
 */
export function createKeyRing({ clock, uptime, readFile }: KeyRingOptions): KeyRing {
  const keys = new Map<string, HeldKey>()

  function remainingOf({ unlockedAt, lifetime }: HeldKey): Millis {
    const passed = Math.max(clock.now() - unlockedAt.clock, uptime() - unlockedAt.uptime)
    return millis(Math.max(0, lifetime - passed))
  }

  function drop(key: HeldKey): void {
    key.privateKey.fill(0)
    if (keys.get(key.name) === key) keys.delete(key.name)
  }

  function describe(key: HeldKey): UnlockedKey {
    return { name: key.name, did: key.did, remaining: remainingOf(key) }
  }

  async function usable(name: string): Promise<HeldKey | undefined> {
    const key = keys.get(name)
    if (key === undefined) return undefined
    const text = remainingOf(key) > 0 ? await readFile(key.path) : undefined
    if (text !== undefined && digestOf(text) === key.digest && keys.get(name) === key && remainingOf(key) > 0) return key
    drop(key)
    return undefined
  }

  return {
    unlock({ name, path, digest, privateKey, lifetime }) {
      const pair = importKeyPair(privateKey)
      if (!pair.ok) return err(pair.error.message)
      const before = keys.get(name)
      if (before === undefined && keys.size >= MAX_KEYS) return err(`${MAX_KEYS} keys are unlocked already`)
      if (before !== undefined) drop(before)
      const unlockedAt = { clock: clock.now(), uptime: uptime() }
      const key: HeldKey = { name, did: pair.value.did, path, digest, privateKey, lifetime, unlockedAt }
      keys.set(name, key)
      return ok(describe(key))
    },
    async find(name) {
      const key = await usable(name)
      return key === undefined ? undefined : describe(key)
    },
    async sign(name, did, message) {
      const key = await usable(name)
      if (key === undefined || key.did !== did) return undefined
      const pair = importKeyPair(key.privateKey)
      return pair.ok ? await pair.value.sign(message) : undefined
    },
    async list() {
      const found: UnlockedKey[] = []
      for (const name of [...keys.keys()].sort()) {
        const key = await usable(name)
        if (key !== undefined) found.push(describe(key))
      }
      return found
    },
    lock(name) {
      const locked = [...keys.values()].filter((key) => name === undefined || key.name === name)
      const described = locked.map(describe)
      for (const key of locked) drop(key)
      return described
    },
    dropExpired() {
      for (const key of [...keys.values()]) if (remainingOf(key) === 0) drop(key)
    },
    get size() {
      return keys.size
    },
    get nextExpiry() {
      const times = [...keys.values()].map(remainingOf)
      return times.length === 0 ? undefined : millis(Math.min(...times))
    }
  }
}
