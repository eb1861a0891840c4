import { type Actor, rootHandleOf } from '../../actor/index.ts'
import { type Clock, errorMessage, type Logger, millis, type Random, randomInt, type Service, seconds } from '../../base/index.ts'
import { publicKeyOfPeerId } from '../../identity/index.ts'
import { hello } from '../../protocol/index.ts'
import type { PeerDirectory } from './peers.ts'

/** The protocol by which a peer shows that it is a DMS (B §4.1). */
const ROOT_PROTOCOL = 'actor/root/messages/0.0.1'

/** The wait before a greeting, and how often it is tried (B §4.1). */
const FIRST_WAIT_MS = 10_000
const WAIT_SPREAD_MS = 10_000
const ATTEMPTS = 3

/** The handshake between nodes. */
export interface Greeter extends Service {
  /** Peers that answered our greeting. */
  greeted(): ReadonlySet<string>
}

/** Greets every peer that shows itself as a DMS, once per connection. */
export function createGreeter({
  actor,
  peers,
  clock,
  random,
  log
}: {
  readonly actor: Actor
  readonly peers: PeerDirectory
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}): Greeter {
  const lifetime = new AbortController()
  const pending = new Set<string>()
  const greeted = new Set<string>()
  let unsubscribe: (() => void) | undefined

  async function greet(peer: string): Promise<void> {
    const key = publicKeyOfPeerId(peer)
    const to = key.ok ? rootHandleOf(key.value) : key
    if (!to.ok) return
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      await clock.sleep(millis(FIRST_WAIT_MS + randomInt(random, WAIT_SPREAD_MS)), { signal: lifetime.signal })
      if (!peers.isConnected(peer)) return
      try {
        await actor.invoke(to.value, hello, null, { timeout: seconds(3), signal: lifetime.signal })
        greeted.add(peer)
        return
      } catch (error) {
        log.debug('a peer did not answer the greeting', { peer, attempt, error: errorMessage(error) })
      }
    }
  }

  return {
    name: 'hello',
    greeted: () => greeted,
    start() {
      unsubscribe = peers.onPeer((event) => {
        if (event.type === 'disconnected') {
          greeted.delete(event.peer)
          return
        }
        const { peer, protocols } = event
        if (!protocols.includes(ROOT_PROTOCOL) || pending.has(peer) || greeted.has(peer)) return
        pending.add(peer)
        greet(peer)
          .catch((error: unknown) => {
            if (!lifetime.signal.aborted) log.debug('greeting given up', { peer, error: errorMessage(error) })
          })
          .finally(() => pending.delete(peer))
      })
      return Promise.resolve()
    },
    stop() {
      unsubscribe?.()
      lifetime.abort()
      return Promise.resolve()
    }
  }
}
