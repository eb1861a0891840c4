import { networkInterfaces } from 'node:os'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { type Clock, seconds } from '../base/index.ts'
import type { KnownAddress } from './address-book.ts'
import { ipOf, isRelayed } from './address-kinds.ts'
import type { NodeInternals } from './internals.ts'

/** How often the addresses of this machine are looked at. */
const LOOK_EVERY = seconds(5)

/**
 * Puts the addresses of listeners where this machine is now: QUIC tells for ever where it was when it began to listen, and listens on
 * all interfaces nevertheless. `present` is replaced in tests.
 */
export function atCurrentInterfaces(
  known: readonly KnownAddress[],
  present: readonly string[] = presentIps()
): readonly KnownAddress[] {
  return known.flatMap((entry) => {
    const ip = entry.type === 'transport' && !isRelayed(entry.multiaddr) ? ipOf(entry.multiaddr) : undefined
    if (ip === undefined || present.includes(ip)) return [entry]
    const replacements = present.filter((other) => sameKind(ip, other) && !isLoopbackIp(other))
    return replacements.map((other) => ({ ...entry, multiaddr: withIp(entry.multiaddr, other) }))
  })
}

function withIp(address: Multiaddr, ip: string): Multiaddr {
  return multiaddr(address.toString().replace(/^\/ip[46]\/[^/]+/, ip.includes(':') ? `/ip6/${ip}` : `/ip4/${ip}`))
}

function sameKind(one: string, other: string): boolean {
  return one.includes(':') === other.includes(':')
}

function isLoopbackIp(ip: string): boolean {
  return ip === '::1' || ip.startsWith('127.')
}

function presentIps(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .map(({ address }) => address)
}

/** Has what others are told of this node, and the record that they keep, follow the addresses of the listeners. */
export function refreshOwnAddresses({ events }: NodeInternals): void {
  events.dispatchEvent(new Event('transport:close'))
}

/** Calls back whenever this machine got or lost an address, until the signal is aborted. `addresses` is replaced in tests. */
export async function watchOwnAddresses(
  clock: Clock,
  changed: () => void,
  signal: AbortSignal,
  addresses: () => string = interfaceAddresses
): Promise<void> {
  let last = addresses()
  const pause = (): Promise<boolean> =>
    clock.sleep(LOOK_EVERY, { signal }).then(
      () => !signal.aborted,
      () => false // aborted: the watch ends
    )
  while (await pause()) {
    const now = addresses()
    if (now !== last) changed()
    last = now
  }
}

function interfaceAddresses(): string {
  const found = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
  const outward = found.filter(({ internal, address }) => !internal && !address.startsWith('fe80'))
  return outward
    .map(({ address }) => address)
    .sort()
    .join(' ')
}
