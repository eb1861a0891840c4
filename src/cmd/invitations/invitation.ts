import type { Secret } from '../../base/index.ts'
import type { Did } from '../../identity/index.ts'
import type { Token } from '../../ucan/index.ts'

/** Who may take an invitation: whoever has its text, and with it the key of this seed; or one DID, and then it is no secret. */
export type Invited = { readonly type: 'bearer'; readonly secret: Secret } | { readonly type: 'named'; readonly did: Did }

/** What one owner hands to another so that the other's jobs may run here: rights, and where the machine is. */
export interface Invitation {
  readonly invited: Invited
  /** The owner's word for the key or DID of {@link Invited}. */
  readonly grant: Token
  /** The machine that lends: its bids are let in. */
  readonly machine: Did
  /** Where it can be dialled; each ends in its own `/p2p/<id>`. */
  readonly addresses: readonly string[]
  /** Nodes through which both find each other, when they are not the usual ones. */
  readonly meetingPoints: readonly string[]
  /** The network that the machine belongs to. */
  readonly network: NetworkNames
}

/** The settings by which nodes of one network find each other; what is missing is as usual. */
export const NETWORK_KEYS = ['network', 'dht_prefix', 'rendezvous', 'advertisement_namespace', 'topic_prefix'] as const

/** The names of a network that differ from the usual ones. */
export type NetworkNames = Readonly<Partial<Record<(typeof NETWORK_KEYS)[number], string>>>

/**
 * What an invitation allows at the inviting machine (docs/guides/invitations.md). Not all of `/dms/deployment`: whoever may send bids
 * to it could take the jobs of its owner, and see what is in them.
 */
export const INVITED_CAPABILITIES: readonly string[] = [
  '/public',
  '/dms/deployment/request',
  '/dms/deployment/commit',
  '/dms/deployment/allocate',
  '/dms/deployment/revert'
]

/** Most addresses, and most meeting points, of one invitation. */
export const MAX_ADDRESSES = 16

/** Links below the grant: the invited person, its machine, and the message. A direct grant needs one less. */
export const BEARER_DEPTH = 3n
