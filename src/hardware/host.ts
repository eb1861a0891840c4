import { hostname, networkInterfaces } from 'node:os'

/** A network interface of this machine. */
export interface NetworkInterface {
  readonly name: string
  /** Addresses with the length of their network, sorted: `192.0.2.7/24`. */
  readonly addresses: readonly string[]
  readonly mac: string
}

/** The name of this machine. */
export function hostName(): string {
  return hostname()
}

/** The interfaces that are up, with their addresses, in the order of their names. */
export function readInterfaces(): readonly NetworkInterface[] {
  return Object.entries(networkInterfaces())
    .map(([name, addresses = []]) => ({
      name,
      addresses: addresses.map(({ cidr, address }) => cidr ?? address).sort(),
      mac: addresses[0]?.mac ?? ''
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
