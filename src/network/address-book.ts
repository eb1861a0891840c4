import type { PeerId } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { addressRank, ipOf, isPublic, isRelayed, withoutPeer } from './address-kinds.ts'

/** An own address as the library knows it. */
export interface KnownAddress {
  readonly multiaddr: Multiaddr
  readonly verified: boolean
  /** `transport`: of an interface or a relay; `ip-mapping`: forwarded by a router; `announce`: configured; `observed`: said by peers. */
  readonly type: 'transport' | 'announce' | 'observed' | 'dns-mapping' | 'ip-mapping'
}

/** What an address book needs. */
export interface AddressBookOptions {
  readonly self: PeerId
  /** What the library knows now. */
  readonly known: () => readonly KnownAddress[]
  /** Called when what is announced may have changed through this book. */
  readonly changed: () => void
}

/** The own addresses of a node: what it tells others, and what it is worth asking them to try. */
export interface AddressBook {
  /** Addresses that others can dial, best first, each once and with the peer id. */
  announced(): Multiaddr[]
  /** Public addresses that may work, without the peer id; those that have not worked yet come first. */
  candidates(): Multiaddr[]
  /** A peer at one public IP address sees this node at another. */
  observed(ip: string, reporter: string): void
  /** The public IP address of this node, once three others saw it there (B §5.5). */
  publicIp(): string | undefined
  /**
   * Somebody at that site (`siteOf`) reached this node there; without a site, somebody whose word counts alone. Returns whether that is
   * believed: of an address that only peers say is one of this node, two sites must say so before it first is.
   */
  worked(address: Multiaddr, site?: string): boolean
  /** Somebody could not reach this node there; the third time in a row the address is no longer announced. */
  failed(address: Multiaddr): void
  /** This machine has other addresses now: what others said before is about the old ones. */
  forget(): void
}

/** Reports that confirm a public IP address (B §5.5), and failures that rule an address out. */
const REPORTS = 3
const FAILURES = 3

/** The most addresses that a peer is told: more would not fit into what other nodes read. */
const MAX_ANNOUNCED = 32

/** IP addresses at which others say that they see this node; more than a few are lies or a NAT that changes. */
const MAX_OBSERVED = 16

/** Addresses of which one site said that they work, and no other did yet. */
const MAX_UNCONFIRMED = 64

/** Creates the book of a node. */
export function createAddressBook({ self, known, changed }: AddressBookOptions): AddressBook {
  const reporters = new Map<string, Set<string>>()
  const verdicts = createVerdicts(changed)
  const unconfirmed = new Map<string, string>()

  function isAnnounced({ multiaddr: address, type, verified }: KnownAddress): boolean {
    if (type === 'observed') return verified
    if (type === 'announce') return true
    if (type === 'ip-mapping' && !isPublic(address)) return false // behind a second router
    return !(isPublic(address) && verdicts.isRuledOut(address))
  }

  /** The listen addresses at the IP addresses under which others see this node: right wherever a router forwards the same port. */
  function guesses(): Multiaddr[] {
    const listening = known()
      .filter(({ type, multiaddr: address }) => type === 'transport' && !isRelayed(address) && ipOf(address) !== undefined)
      .map(({ multiaddr: address }) => address)
    return [...reporters.keys()].flatMap((ip) =>
      listening.map((address) => atIp(address, ip)).filter((guess) => guess !== undefined)
    )
  }

  /** Whether this machine, its operator or its router says so, not peers. */
  function isOwn(address: Multiaddr): boolean {
    return known().some(({ type, multiaddr: own }) => type !== 'observed' && withoutPeer(own).equals(withoutPeer(address)))
  }

  function isConfirmed(address: Multiaddr, site: string): boolean {
    if (verdicts.hasWorked(address) || isOwn(address)) return true
    const key = withoutPeer(address).toString()
    const first = unconfirmed.get(key)
    if (first !== undefined && first !== site) return true
    unconfirmed.set(key, site)
    const [oldest] = unconfirmed.keys()
    if (unconfirmed.size > MAX_UNCONFIRMED && oldest !== undefined) unconfirmed.delete(oldest)
    return false
  }

  return {
    announced() {
      const told = known().filter(isAnnounced)
      const configured = told.filter(({ type }) => type === 'announce').map(toAddress)
      const found = told.filter(({ type }) => type !== 'announce').map(toAddress)
      const best = [...found, ...verdicts.working()].sort((a, b) => addressRank(a) - addressRank(b))
      const all = unique([...configured, ...best].map(withoutPeer))
      return all.slice(0, MAX_ANNOUNCED).map((address) => address.encapsulate(`/p2p/${self}`))
    },
    candidates() {
      const told = known().map(({ multiaddr: address }) => withoutPeer(address))
      const all = unique([...told, ...guesses()]).filter(isPublic)
      return all.sort((a, b) => Number(verdicts.hasWorked(a)) - Number(verdicts.hasWorked(b)))
    },
    observed(ip, reporter) {
      const by = reporters.get(ip) ?? new Set()
      reporters.delete(ip)
      reporters.set(ip, by) // the newest are last
      if (by.size < REPORTS) by.add(reporter)
      const [oldest] = reporters.keys()
      if (reporters.size > MAX_OBSERVED && oldest !== undefined) reporters.delete(oldest)
    },
    publicIp: () => [...reporters].findLast(([, by]) => by.size >= REPORTS)?.[0],
    worked(address, site) {
      if (site !== undefined && !isConfirmed(address, site)) return false
      unconfirmed.delete(withoutPeer(address).toString())
      verdicts.worked(address)
      return true
    },
    failed: verdicts.failed,
    forget() {
      reporters.clear()
      unconfirmed.clear()
      verdicts.forget()
      changed()
    }
  }
}

interface Verdicts {
  working(): Multiaddr[]
  hasWorked(address: Multiaddr): boolean
  isRuledOut(address: Multiaddr): boolean
  worked(address: Multiaddr): void
  failed(address: Multiaddr): void
  forget(): void
}

/** What others said of the addresses that they tried. */
function createVerdicts(changed: () => void): Verdicts {
  const working = new Set<string>()
  const failures = new Map<string, number>()
  const key = (address: Multiaddr): string => withoutPeer(address).toString()
  return {
    working: () => [...working].map((text) => multiaddr(text)),
    hasWorked: (address) => working.has(key(address)),
    isRuledOut: (address) => (failures.get(key(address)) ?? 0) >= FAILURES,
    worked(address) {
      const isNew = !working.has(key(address))
      working.add(key(address))
      failures.delete(key(address))
      if (isNew) changed()
    },
    failed(address) {
      const count = (failures.get(key(address)) ?? 0) + 1
      failures.set(key(address), Math.min(count, FAILURES))
      if (count !== FAILURES) return
      working.delete(key(address))
      changed()
    },
    forget() {
      working.clear()
      failures.clear()
    }
  }
}

function toAddress({ multiaddr: address }: KnownAddress): Multiaddr {
  return address
}

function atIp(address: Multiaddr, ip: string): Multiaddr | undefined {
  const [first, ...rest] = address.getComponents()
  const kind = ip.includes(':') ? 'ip6' : 'ip4'
  if (first?.name !== kind) return undefined
  return multiaddr(`/${kind}/${ip}`).encapsulate(multiaddr(rest))
}

function unique(addresses: readonly Multiaddr[]): Multiaddr[] {
  return [...new Map(addresses.map((address) => [address.toString(), address])).values()]
}
