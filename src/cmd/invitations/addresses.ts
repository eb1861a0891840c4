import { isJsonObject, type Millis, seconds } from '../../base/index.ts'
import type { Session } from '../../client/index.ts'
import { type Config, configKeys } from '../../config/index.ts'
import type { Io } from '../io.ts'
import { withProgress } from '../progress.ts'
import { MAX_ADDRESSES } from './invitation.ts'
import { isPeerAddress } from './text.ts'

const SELF = '/dms/node/peers/self'
const POLL_INTERVAL = seconds(1)
const PATIENCE = seconds(10)
/** A relay is found, and a reservation made, within seconds. */
const USUAL_PATIENCE = seconds(20)

/** From whence an address can be dialled, best first. */
type Reach = 'anywhere' | 'relay' | 'site' | 'machine'

const ORDER: readonly Reach[] = ['anywhere', 'relay', 'site', 'machine']

/** Where a machine can be reached, and whether from outside of its own network. */
export interface Whereabouts {
  readonly addresses: readonly string[]
  readonly isReachable: boolean
}

/**
 * The addresses of the running daemon, best first.
 *
 * A node behind a router learns only after its start where it can be reached: through a relay, or at an address that others see. So
 * for `patience` the daemon is asked again, unless it listens on loopback alone or knows no other node to learn from.
 */
export async function findWhereabouts(
  session: Session,
  { config, io, patience = USUAL_PATIENCE }: { readonly config: Config; readonly io: Io; readonly patience?: Millis }
): Promise<Whereabouts> {
  const start = io.clock.now()
  const look = async (): Promise<Whereabouts> => {
    for (;;) {
      const found = whereaboutsOf(await askAddresses(session))
      const isHopeless =
        config.p2p.bootstrap_peers.length === 0 || found.addresses.every((address) => reachOf(address) === 'machine')
      if (found.isReachable || isHopeless || io.clock.now() - start >= patience) return found
      await io.clock.sleep(POLL_INTERVAL)
    }
  }
  return await withProgress(io, { text: 'finding out where this machine can be reached', limit: patience }, look)
}

async function askAddresses(session: Session): Promise<readonly string[]> {
  const reply = await session.invoke({ behavior: SELF, timeout: PATIENCE })
  const listed = isJsonObject(reply) ? reply['listen_addr'] : undefined
  return typeof listed === 'string' ? listed.split(', ').filter(isPeerAddress) : []
}

/** Loopback only when there is nothing else: two nodes on one machine. */
function whereaboutsOf(found: readonly string[]): Whereabouts {
  const sorted = ORDER.map((reach) => found.filter((address) => reachOf(address) === reach))
  const [anywhere = [], relay = [], site = [], machine = []] = sorted
  const elsewhere = [...anywhere, ...relay, ...site]
  return {
    addresses: (elsewhere.length > 0 ? elsewhere : machine).slice(0, MAX_ADDRESSES),
    isReachable: anywhere.length + relay.length > 0
  }
}

function reachOf(address: string): Reach {
  const [, kind = '', host = ''] = address.split('/')
  if (address.includes('/p2p-circuit')) return 'relay'
  if (kind.startsWith('dns')) return 'anywhere'
  return kind === 'ip6' ? reachOfIp6(host.toLowerCase()) : reachOfIp4(host)
}

function reachOfIp4(host: string): Reach {
  if (/^(127|0)\./.test(host)) return 'machine'
  return /^(10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(host)
    ? 'site'
    : 'anywhere'
}

function reachOfIp6(host: string): Reach {
  if (host === '::1' || host === '::') return 'machine'
  return /^f[cd]|^fe[89ab]/.test(host) ? 'site' : 'anywhere'
}

/** Whether a node uses this bootstrap peer without being told. */
export function isUsualMeetingPoint(address: string): boolean {
  return configKeys().some(
    (key) => key.name === 'p2p.bootstrap_peers' && Array.isArray(key.default) && key.default.includes(address)
  )
}
