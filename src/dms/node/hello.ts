import { type Actor, ROOT_INBOX, rootHandleOf, type VerifiedEnvelope } from '../../actor/index.ts'
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

/** What counts for a peer among those that carry broadcasts (B §4.1). */
const FRIEND_SCORE = 5
const NODE_SCORE = 1

/** The handshake between nodes. */
export interface Greeter extends Service {
  /** Takes note of a greeting that came in. */
  heard(envelope: VerifiedEnvelope): void
}

/**
 * Greets every peer that shows itself as a DMS, once per connection, and scores peers by it: hellos both ways count most.
 *
 * What is known of a peer ends with its connection.
 */
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
  const nodes = new Set<string>()
  const answered = new Set<string>()
  const greeters = new Set<string>()
  let unsubscribe: (() => void) | undefined

  async function greet(peer: string): Promise<void> {
    const to = rootOf(peer)
    if (to === undefined) return
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      await clock.sleep(millis(FIRST_WAIT_MS + randomInt(random, WAIT_SPREAD_MS)), { signal: lifetime.signal })
      if (!peers.isConnected(peer)) return
      try {
        await actor.invoke(to, hello, null, { timeout: seconds(3), signal: lifetime.signal })
        if (peers.isConnected(peer)) answered.add(peer)
        return
      } catch (error) {
        log.debug('a peer did not answer the greeting', { peer, attempt, error: errorMessage(error) })
      }
    }
  }

  function forget(peer: string): void {
    for (const known of [nodes, answered, greeters]) known.delete(peer)
  }

  function scoreOf(peer: string): number {
    if (answered.has(peer) && greeters.has(peer)) return FRIEND_SCORE
    return nodes.has(peer) ? NODE_SCORE : 0
  }

  return {
    name: 'hello',
    heard({ from, isBroadcast }) {
      // The DID in a message is the sender's own claim (B §11.1, 10); its id signed it, and its host is the peer that brought it.
      const isNode = !isBroadcast && from.inbox === ROOT_INBOX && rootOf(from.host)?.id === from.id
      if (isNode && peers.isConnected(from.host)) greeters.add(from.host)
    },
    start() {
      peers.scorePeersBy(scoreOf)
      unsubscribe = peers.onPeer((event) => {
        if (event.type === 'disconnected') {
          forget(event.peer)
          return
        }
        const { peer, protocols } = event
        if (!protocols.includes(ROOT_PROTOCOL)) return
        nodes.add(peer)
        if (pending.has(peer) || answered.has(peer)) return
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

function rootOf(peer: string) {
  const key = publicKeyOfPeerId(peer)
  const handle = key.ok ? rootHandleOf(key.value) : key
  return handle.ok ? handle.value : undefined
}
