import type { Actor, Handle } from '../../src/actor/index.ts'
import { millis, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts'
import type { NetworkHost } from '../../src/network/index.ts'
import type { Dms } from './dms.ts'
import type { Party } from './link.ts'
import { createActors } from './systems.ts'

/** How the frames of a node travel. */
export type Way = 'kept' | 'plain'

/** Both ways. */
export const WAYS: readonly Way[] = ['kept', 'plain']

/** What a machine can carry, not what a node takes of one caller. */
const UNTHROTTLED = { callerMessages: { capacity: 1_000_000, perSecond: 1_000_000 } }

/** A node of the DMS that does nothing but carry messages. */
export interface MessageNode {
  readonly host: NetworkHost
  readonly root: Actor
  /** Connects, and waits until both know what the other speaks. */
  connect(address: string): Promise<void>
  stop(): Promise<void>
}

/** Starts a {@link MessageNode} on loopback; `plain` ones reset every kept stream, so that all get a stream per message. */
export async function startMessageNode(
  dms: Dms,
  party: Party,
  { way = 'kept', listen = '/ip4/127.0.0.1/tcp/0' }: { readonly way?: Way; readonly listen?: string } = {}
): Promise<MessageNode> {
  const host = dms.network.createNetworkHost({
    privateKey: party.key.exportPrivate(),
    listen: [listen],
    bootstrap: [],
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    limits: way === 'kept' ? {} : { badStreamsPerMinute: 0 }
  })
  const actors = createActors(dms, party, host, UNTHROTTLED)
  await actors.start()
  await host.start()
  actors.serve()
  return {
    host,
    root: actors.root,
    async connect(address) {
      const identified = new Promise<void>((resolve) => {
        const end = host.onPeer(({ type }) => {
          if (type !== 'identified') return
          end()
          resolve()
        })
      })
      await host.connect(address)
      await identified
      await systemClock.sleep(millis(200)) // the other side asks too, and does not say when it knows
    },
    async stop() {
      await host.stop()
      await actors.stop()
    }
  }
}

/** The handle of the root actor of a party. */
export function rootOf({ actor }: Dms, { key }: Party): Handle {
  return actor.handleOf(key, key.did, key.peerId, actor.ROOT_INBOX)
}
