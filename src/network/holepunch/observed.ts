import type { Multiaddr } from '@multiformats/multiaddr'
import { type Clock, type Millis, millis, minutes } from '../../base/index.ts'
import { ipOf, isPublic } from '../address-kinds.ts'

/** What a peer said about where this node's connection came from. */
export interface Observation {
  readonly address: Multiaddr
  /** Where the peer itself is. */
  readonly from: Multiaddr
  /** Whether it is a bootstrap node or holds a reservation of this node: what it says is believed at once. */
  readonly isTrusted: boolean
}

/**
 * Outside addresses of the listening port, as others see it. Only for hole punching: whoever dials a wrong one loses one packet.
 *
 * One peer alone, unless trusted, could have this node name anybody's address, so two from different networks must agree.
 */
export interface ObservedAddresses {
  report(observation: Observation): void
  /** Those that are believed, the latest first, at most {@link MAX_BELIEVED}. */
  believed(): readonly Multiaddr[]
  /** Forgets everything: this machine has other addresses now. */
  clear(): void
}

/** Addresses of which others are told at once. */
export const MAX_BELIEVED = 4

const MAX_REPORTED = 32
const BELIEVED_FOR = minutes(30)

interface Report {
  readonly address: Multiaddr
  readonly networks: ReadonlySet<string>
  readonly isTrusted: boolean
  readonly seen: Millis
}

/** Creates an empty list. */
export function createObservedAddresses(clock: Clock): ObservedAddresses {
  const reports = new Map<string, Report>()

  function dropOld(): void {
    const oldest = millis(clock.now() - BELIEVED_FOR)
    for (const [key, { seen }] of reports) if (seen < oldest) reports.delete(key)
    if (reports.size < MAX_REPORTED) return
    const [worst] = [...reports].sort(([, one], [, other]) => Number(isBelieved(one)) - Number(isBelieved(other)))
    if (worst !== undefined) reports.delete(worst[0])
  }

  return {
    report({ address, from, isTrusted }) {
      if (!isPublic(address)) return
      dropOld()
      const key = address.toString()
      const known = reports.get(key)
      reports.delete(key) // so that it comes last
      reports.set(key, {
        address,
        networks: new Set([...(known?.networks ?? []), networkOf(from)].slice(-2)),
        isTrusted: isTrusted || known?.isTrusted === true,
        seen: clock.now()
      })
    },
    believed() {
      dropOld()
      const found = [...reports.values()].filter(isBelieved)
      return found
        .reverse()
        .slice(0, MAX_BELIEVED)
        .map(({ address }) => address)
    },
    clear: () => reports.clear()
  }
}

function isBelieved({ isTrusted, networks }: Report): boolean {
  return isTrusted || networks.size > 1
}

/** Peers of one network count as one. */
function networkOf(address: Multiaddr): string {
  const ip = ipOf(address) ?? address.toString()
  return ip.includes(':') ? ip.split(':').slice(0, 3).join(':') : ip.split('.').slice(0, 2).join('.')
}
