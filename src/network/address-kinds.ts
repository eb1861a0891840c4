import { isPrivateIp } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The IP address that begins a multiaddress; undefined for names and other kinds.
 *
 * One that names a server for TLS counts as a name: WebSockets are dialled at that name, wherever the IP address leads.
 */
export function ipOf(address: Multiaddr): string | undefined {
  const components = address.getComponents()
  if (components.some(({ name }) => name === 'sni')) return undefined
  const [first] = components
  return first?.name === 'ip4' || first?.name === 'ip6' ? first.value : undefined
}

/** Whether the address leads through a relay. */
export function isRelayed(address: Multiaddr): boolean {
  return address.getComponents().some(({ name }) => name === 'p2p-circuit')
}

/** Whether an IP address can be reached from the internet, as far as can be seen from it. */
export function isPublicIp(ip: string): boolean {
  return isPrivateIp(ip) === false
}

/** The address of IPv4, also where a listener for both shows it as one of IPv6, or the first half of one of IPv6: what one site, and so one attacker, has at least. */
export function siteOf(ip: string): string {
  if (!ip.includes(':')) return ip
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(ip) ?? []
  if (high !== undefined && low !== undefined) {
    const [upper, lower] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
    return [upper >> 8, upper & 255, lower >> 8, lower & 255].join('.')
  }
  const [head = '', tail] = ip.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

/** Whether the address begins with a public IP address and needs no relay. */
export function isPublic(address: Multiaddr): boolean {
  const ip = ipOf(address)
  return ip !== undefined && isPublicIp(ip) && !isRelayed(address)
}

/** The address without the peer id at its end. */
export function withoutPeer(address: Multiaddr): Multiaddr {
  const last = address.getComponents().at(-1)
  return last?.name === 'p2p' ? address.decapsulate(`/p2p/${last.value}`) : address
}

/** How good an address is for somebody who knows nothing of this node: lower is better. */
export function addressRank(address: Multiaddr): number {
  if (isRelayed(address)) return 2
  const ip = ipOf(address)
  if (ip === undefined) return 1 // a name, which somebody gave to it
  if (isPublicIp(ip)) return 0
  return ip.startsWith('127.') || ip === '::1' ? 4 : 3
}
