import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { DmsError } from './errors.ts'

/** A stranger named a host that lies in a network of this machine, where strangers have no business. */
export class PrivateAddressError extends DmsError {
  readonly code = 'BASE_PRIVATE_ADDRESS'
  readonly kind = 'forbidden'

  constructor(host: string, address: string) {
    const where = host === address ? address : `${host} (${address})`
    super(`${where} is not a public address; the owner of this machine has not allowed it`, { details: { host, address } })
  }
}

/** Blocks that are not reached over the public Internet (IANA's special-purpose registries), cloud metadata included. */
export const SPECIAL_IPV4_BLOCKS: readonly string[] =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4'.split(
    ' '
  )

/** Within 2000::/3, which is all that is public in IPv6. The translated and tunnelled ones may lead to any IPv4 address. */
export const SPECIAL_IPV6_BLOCKS: readonly string[] = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

/** Whether strangers may have this machine connect there: a literal IP address of the public Internet. */
export function isPublicAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return isPublicAddress(mapped)
  if (isIP(address) === 4) return !blocksOf(SPECIAL_IPV4_BLOCKS, 'ipv4').check(address, 'ipv4')
  if (isIP(address) !== 6) return false
  const unscoped = address.replace(/%.*$/, '')
  return blocksOf(['2000::/3'], 'ipv6').check(unscoped, 'ipv6') && !blocksOf(SPECIAL_IPV6_BLOCKS, 'ipv6').check(unscoped, 'ipv6')
}

function blocksOf(list: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const blocks = new BlockList()
  for (const block of list) {
    const [network = '', prefix] = block.split('/')
    blocks.addSubnet(network, Number(prefix), family)
  }
  return blocks
}

/** Finds the addresses of a name: that of `node:dns` with `all`. */
export type AddressLookup = (
  host: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[] | undefined) => void
) => void

/**
 * The `lookup` of a connection to a host that a stranger named: refuses names of which any address is private.
 *
 * What was checked is what is connected to: the name is not asked for again. Literal addresses never come to a `lookup`:
 * {@link refusePrivateLiteral} is for them.
 */
export function createPublicLookup(lookup: AddressLookup = systemLookup): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? []
      if (error !== null || addresses === undefined || first === undefined) {
        const failure = error ?? Object.assign(new Error(`${host} has no address`), { code: 'ENOTFOUND' })
        callback(failure, options.all === true ? [] : '')
        return
      }
      const hidden = addresses.find(({ address }) => !isPublicAddress(address))
      if (hidden !== undefined) callback(new PrivateAddressError(host, hidden.address), options.all === true ? [] : '')
      else if (options.all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

/** @throws PrivateAddressError when the host of a URL is a literal address, in brackets or not, that is not public. */
export function refusePrivateLiteral(host: string): void {
  const literal = host.replace(/^\[(.*)\]$/, '$1')
  if (isIP(literal) !== 0 && !isPublicAddress(literal)) throw new PrivateAddressError(literal, literal)
}

/** Whether the host of a URL is in a list of the owner's; entries are `host` or `host:port`. */
export function isListedHost(url: URL, entries: readonly string[]): boolean {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
  const names = [url.hostname, `${url.hostname}:${port}`]
  return entries.some((entry) => names.includes(entry.toLowerCase()))
}

/** @throws PrivateAddressError when the host of a URL is this machine by name, or a literal address that is not public. */
export function refusePrivateHost({ hostname }: URL): void {
  refusePrivateLiteral(hostname)
  if (/(?:^|\.)localhost\.?$/.test(hostname)) throw new PrivateAddressError(hostname, 'this machine')
}
