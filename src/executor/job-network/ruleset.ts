import { isIP } from 'node:net'
import { SPECIAL_IPV4_BLOCKS, SPECIAL_IPV6_BLOCKS } from '../../base/index.ts'
import { JOB_INTERFACE_PREFIX } from '../egress.ts'

/** The table of netfilter that is ours alone. */
export const TABLE = 'nunet'

/** A wider network than this is a way to everywhere, not a neighbourhood. */
const LEAST_PREFIX = { 4: 8, 6: 16 } as const

/** Half of the block for benchmarks (RFC 2544), of which each job without Docker gets four addresses; Docker's have the other half. */
export const ROUTED_BLOCK = '198.19.0.0/16'

/** What the rules depend on besides what is always private. */
export interface Surroundings {
  /** Networks that this machine is in, as `203.0.113.0/24` or `203.0.113.7/24`. */
  readonly neighbourhoods: readonly string[]
  /** Where this machine asks for names: addresses that jobs may ask as well, on port 53. */
  readonly resolvers: readonly string[]
}

/**
 * The rules as `nft` reads them: they replace the table in one transaction, so there is no moment without them.
 *
 * What comes from a job is dropped when it goes to this machine itself, to a special-purpose address (IANA's registries, cloud
 * metadata among them), to a network that this machine is in, or to another job. Answers on connections that others began pass.
 * A drop here is final, whatever other tables accept. Jobs whose
 * addresses are not Docker's to translate leave with that of this machine.
 */
export function egressRules({ neighbourhoods, resolvers }: Surroundings): string {
  const jobs = `"${JOB_INTERFACE_PREFIX}*"`
  return `table inet ${TABLE}
delete table inet ${TABLE}
table inet ${TABLE} {
  set hidden4 {
    type ipv4_addr; flags interval; auto-merge
    elements = { ${[...SPECIAL_IPV4_BLOCKS, ...blocks(neighbourhoods, 4)].join(', ')} }
  }
  set hidden6 {
    type ipv6_addr; flags interval; auto-merge
    elements = { ${[...SPECIAL_IPV6_BLOCKS, ...blocks(neighbourhoods, 6)].join(', ')} }
  }
${resolverSet('4', resolvers)}${resolverSet('6', resolvers)}  chain input {
    type filter hook input priority filter - 10; policy accept;
    iifname != ${jobs} accept
    ct state established,related accept
    drop
  }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname != ${jobs} accept
    oifname ${jobs} drop
    ct state established,related accept
${resolverRules('4', resolvers)}${resolverRules('6', resolvers)}    ip daddr @hidden4 drop
    ip6 daddr != 2000::/3 drop
    ip6 daddr @hidden6 drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${ROUTED_BLOCK} oifname != ${jobs} masquerade
  }
}
`
}

function blocks(networks: readonly string[], family: 4 | 6): readonly string[] {
  return networks.filter((network) => {
    const [address = '', prefix = ''] = network.split('/')
    return isIP(address) === family && /^\d{1,3}$/.test(prefix) && Number(prefix) >= LEAST_PREFIX[family]
  })
}

function ofFamily(resolvers: readonly string[], family: '4' | '6'): readonly string[] {
  return resolvers.filter((address) => isIP(address) === Number(family))
}

function resolverSet(family: '4' | '6', resolvers: readonly string[]): string {
  const addresses = ofFamily(resolvers, family)
  if (addresses.length === 0) return ''
  return `  set resolvers${family} { type ipv${family}_addr; elements = { ${addresses.join(', ')} }; }\n`
}

function resolverRules(family: '4' | '6', resolvers: readonly string[]): string {
  if (ofFamily(resolvers, family).length === 0) return ''
  const to = `${family === '4' ? 'ip' : 'ip6'} daddr @resolvers${family}`
  return `    ${to} udp dport 53 accept\n    ${to} tcp dport 53 accept\n`
}
