import { BlockList } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Multiaddr } from '@multiformats/multiaddr'
import { ipOf, isRelayed } from './address-kinds.ts'

/** Whether it lies in a network that this machine is part of, so that no router stands between. */
export function isNearby(address: Multiaddr): boolean {
  const ip = ipOf(address)
  if (ip === undefined || isRelayed(address)) return false
  const nearby = new BlockList()
  for (const { cidr } of Object.values(networkInterfaces()).flatMap((found) => found ?? [])) {
    const [network, prefix] = cidr?.split('/') ?? []
    if (network !== undefined && prefix !== undefined) nearby.addSubnet(network, Number(prefix), family(network))
  }
  return nearby.check(ip, family(ip))
}

function family(ip: string): 'ipv4' | 'ipv6' {
  return ip.includes(':') ? 'ipv6' : 'ipv4'
}
