/** What the parts of one network are called on the wire; nodes meet only where these are the same (B §5.2, §11.3). */
export interface NetworkNames {
  /** Protocols of the distributed hash tables: the own one, and one that some networks have besides. */
  readonly hashTables: readonly [own: string, old?: string]
  /** Under this name nodes look for each other in the hash tables. */
  readonly rendezvous: string
  /** Namespace of advertisements in the hash tables. */
  readonly advertisements: string
  /** Stands on the wire before every topic, which envelopes and capabilities name without it. */
  readonly topicPrefix: string
}

/** A network by its name, and what differs from the names that follow from it; empty means nothing. */
export interface NetworkNaming {
  readonly network?: string
  readonly dhtPrefix?: string
  readonly rendezvous?: string
  readonly advertisements?: string
  readonly topicPrefix?: string
}

/** The public network, whose names the reference has built in. */
const PUBLIC = 'nunet'

/** Nodes of the public network that were not updated for long know only the table without prefix. */
const OLD_HASH_TABLE = '/kad/1.0.0'

/** The names of a network; all of a private network's follow from its name and differ from those of every other one. */
export function networkNames(naming: NetworkNaming = {}): NetworkNames {
  const { network = PUBLIC } = naming
  const isPublic = network === PUBLIC
  const hashTable = `${given(naming.dhtPrefix) ?? `/${network}`}/kad/1.0.0`
  return {
    hashTables: isPublic ? [hashTable, OLD_HASH_TABLE] : [hashTable],
    rendezvous: given(naming.rendezvous) ?? (isPublic ? 'nunet-test' : network),
    advertisements: given(naming.advertisements) ?? `${network}-dht-1`,
    topicPrefix: given(naming.topicPrefix) ?? (isPublic ? '' : `/${network}`)
  }
}

function given(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
