import type { Service } from '../../base/index.ts'
import type { Publish } from '../events.ts'
import type { PeerDirectory } from './peers.ts'

/** Tells of peers that come and go; a peer that tells its protocols again has not come again. */
export function createPeerEvents(peers: Pick<PeerDirectory, 'onPeer'>, publish: Publish): Service {
  const connected = new Set<string>()
  let unsubscribe = (): void => undefined
  return {
    name: 'peer events',
    start() {
      unsubscribe = peers.onPeer(({ type, peer }) => {
        const isNews = type === 'identified' ? !connected.has(peer) : connected.has(peer)
        if (!isNews) return
        if (type === 'identified') connected.add(peer)
        else connected.delete(peer)
        publish({ type: 'peer', peer, status: type === 'identified' ? 'connected' : 'disconnected' })
      })
      return Promise.resolve()
    },
    stop() {
      unsubscribe()
      connected.clear()
      return Promise.resolve()
    }
  }
}
