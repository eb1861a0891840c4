import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { type Clock, errorMessage, type Logger, minutes, seconds, withTimeout } from '../../base/index.ts'
import { ipOf, isPublicIp, isRelayed, siteOf, withoutPeer } from '../address-kinds.ts'
import { type DialResponse, decodeDialRequest, encodeDialResponse, MAX_AUTONAT_MESSAGE } from './wire.ts'

/** What answering others needs. */
export interface DialBackOptions {
  /** Opens a connection to exactly that address, whatever connections there are. */
  readonly dial: (address: Multiaddr, signal: AbortSignal) => Promise<Connection>
  readonly clock: Clock
  readonly log: Logger
}

/** As the reference's library allows: dials for one peer and for all in a minute, and how long one request may take. */
const DIALS_PER_PEER = 3
const DIALS_IN_ALL = 30

/** Dials for all peers of one site, which can make peer ids at will: a site alone must not use up the share of all others. */
const DIALS_PER_SITE = 6

const PERIOD = minutes(1)
const DIAL_TIMEOUT = seconds(15)
const READ_TIMEOUT = seconds(10)

/** The most addresses that are tried for one request. */
const MAX_ADDRESSES = 8

/**
 * Answers whether a peer can be reached (AutoNAT 1), by dialling it. Dials go only to the IP address from which the peer asks, and only
 * a few each minute, for a peer, a site and in all, so that nobody can point this node at others or keep it from answering them.
 *
 * Our own, because the library's answers by closing the connection over which it was asked.
 */
export function createDialBack({ dial, clock, log }: DialBackOptions): (stream: Stream, connection: Connection) => Promise<void> {
  const quota = createQuota(clock)

  async function tryAll(peer: PeerId, addresses: readonly Multiaddr[]): Promise<DialResponse> {
    const failures: string[] = []
    const work = async (signal: AbortSignal): Promise<DialResponse> => {
      for (const address of addresses) {
        try {
          const opened = await dial(address.encapsulate(`/p2p/${peer}`), signal)
          await opened.close({ signal }).catch((error: unknown) => opened.abort(new Error(errorMessage(error))))
          return { status: 'ok', text: '', address: address.bytes }
        } catch (error) {
          failures.push(errorMessage(error))
        }
      }
      return { status: 'dial-error', text: failures.join('; ').slice(0, 500) }
    }
    return withTimeout(clock, DIAL_TIMEOUT, 'dialling back', work).catch(
      (error: unknown): DialResponse => ({ status: 'dial-error', text: errorMessage(error) })
    )
  }

  async function answer(message: Uint8Array, { remotePeer, remoteAddr, limits }: Connection): Promise<DialResponse> {
    const request = decodeDialRequest(message)
    if (request === undefined) return { status: 'bad-request', text: 'the message is no dial request' }
    if (!Buffer.from(request.peer).equals(remotePeer.toMultihash().bytes)) {
      return { status: 'bad-request', text: 'only the peer that asks is dialled' }
    }
    const ip = ipOf(remoteAddr)
    if (limits !== undefined || isRelayed(remoteAddr) || ip === undefined || !isPublicIp(ip)) {
      return { status: 'refused', text: 'only peers that ask directly from a public address are dialled' }
    }
    const addresses = request.addresses.flatMap(parse).filter((address) => ipOf(address) === ip && !isRelayed(address))
    if (addresses.length === 0) return { status: 'refused', text: 'no address at the IP address from which the peer asks' }
    if (!quota.take(remotePeer.toString(), siteOf(ip))) return { status: 'refused', text: 'too many requests' }
    return tryAll(remotePeer, addresses.slice(0, MAX_ADDRESSES))
  }

  return async (stream, connection) => {
    const messages = lpStream(stream, { maxDataLength: MAX_AUTONAT_MESSAGE })
    try {
      const request = await withTimeout(clock, READ_TIMEOUT, 'reading a dial request', (signal) => messages.read({ signal }))
      const response = await answer(request.subarray(), connection)
      await withTimeout(clock, READ_TIMEOUT, 'answering a dial request', async (signal) => {
        await messages.write(encodeDialResponse(response), { signal })
        await stream.close({ signal })
      })
    } catch (error) {
      log.debug('a dial request broke', { peer: connection.remotePeer.toString(), error: errorMessage(error) })
      stream.abort(new Error(errorMessage(error)))
    }
  }
}

function parse(bytes: Uint8Array): Multiaddr[] {
  try {
    return [withoutPeer(multiaddr(bytes))]
  } catch {
    return [] // of a kind that this node does not know
  }
}

/** Counts what was done for whom in the current minute. */
function createQuota(clock: Clock): { take(peer: string, site: string): boolean } {
  let [began, inAll] = [clock.now(), 0]
  const byPeer = new Map<string, number>()
  const bySite = new Map<string, number>()
  return {
    take(peer, site) {
      if (clock.now() - began >= PERIOD) {
        ;[began, inAll] = [clock.now(), 0]
        byPeer.clear()
        bySite.clear()
      }
      const [ofPeer, ofSite] = [byPeer.get(peer) ?? 0, bySite.get(site) ?? 0]
      if (ofPeer >= DIALS_PER_PEER || ofSite >= DIALS_PER_SITE || inAll >= DIALS_IN_ALL) return false
      byPeer.set(peer, ofPeer + 1)
      bySite.set(site, ofSite + 1)
      inAll += 1
      return true
    }
  }
}
