import { ROOT_INBOX } from '../../../actor/index.ts'
import type { ActorOwners } from '../actors.ts'
import type { HandlerRun, Observer } from '../observer.ts'
import { type CommittedRecords, type PlainRecord, part, text } from '../records.ts'
import type { SimulatedNode } from '../simulated-node.ts'
import { type Grant, GUEST_CAPABILITIES, GUEST_TOPICS, type Trust } from '../trust.ts'
import type { World } from '../world.ts'

/** How long a message may wait in a mailbox between its check and its handler: as long as a node takes to restore. */
const WAIT_MS = 60_000

/** A revocation as it lies in a context file or in the database. */
interface WireToken {
  readonly dms?: { readonly nonce?: string }
}

/**
 * No handler runs without its capability: an account of its own of who granted what to whom, and of what each node knows to be
 * revoked, is held against every run of a handler.
 *
 * It knows nothing of tokens but their nonces, and never asks the code that decides.
 */
export function capabilitiesInvariant(world: World, trust: Trust, owners: ActorOwners, records: CommittedRecords): Observer {
  const revoked = new Map<SimulatedNode, Set<string>>()
  /** Providers that a deployment has ever been placed on: they may report to it. */
  const providers = new Map<string, Set<string>>()
  const grantsAt = new Map<SimulatedNode, Grant[]>()
  for (const grant of trust.grants) grantsAt.set(grant.at, [...(grantsAt.get(grant.at) ?? []), grant])

  function revoke(node: SimulatedNode, token: WireToken): void {
    const nonce = token.dms?.nonce
    if (nonce !== undefined) revoked.set(node, (revoked.get(node) ?? new Set()).add(nonce))
  }

  function isGuest({ node, behavior, envelope }: HandlerRun, caller: SimulatedNode): boolean {
    if (!GUEST_CAPABILITIES.some((granted) => implies(granted, behavior))) return false
    return (grantsAt.get(node) ?? []).some(
      ({ guest, token, expiresAt }) =>
        (guest === undefined || guest === caller) &&
        expiresAt + WAIT_MS >= node.now() &&
        revoked.get(node)?.has(Buffer.from(token.nonce ?? []).toString('base64')) !== true &&
        (!envelope.isBroadcast || GUEST_TOPICS.some((topic) => implies(topic, topicOf(behavior))))
    )
  }

  /** What a node lets those do whose job it runs, and those who run a job for it. */
  function isPartner({ node, actor, behavior }: HandlerRun, caller: SimulatedNode): boolean {
    if (implies('/dms/allocation', behavior)) return isOwner(records.get(node, 'allocations', actor.inbox), caller)
    if (implies('/dms/ensemble', behavior) && actor.inbox === ROOT_INBOX) {
      const ensemble = behavior.split('/')[3] ?? ''
      return [...records.all(node, 'allocations').values()].some(
        (record) => text(record, 'ensembleId') === ensemble && isOwner(record, caller)
      )
    }
    if (implies('/dms/orchestrator', behavior)) return providers.get(actor.inbox)?.has(caller.key.peerId) === true
    return implies('/dms/deployment/bid', behavior) // asked for by the orchestrator with a grant of its own
  }

  return {
    committed(node, changes) {
      for (const { collection, id, value } of changes) {
        if (value === undefined) continue
        if (collection === 'revocations') revoke(node, JSON.parse((JSON.parse(value) as { token: string }).token) as WireToken)
        if (collection !== 'deployments') continue
        const plan = part(part(records.get(node, 'deployments', id), 'state'), 'plan')
        const known = providers.get(id) ?? new Set()
        for (const planned of Object.values(part(plan, 'nodes') ?? {})) known.add(text(planned as PlainRecord, 'peer'))
        providers.set(id, known)
      }
    },
    contextSaved(node, saved) {
      const { revoke: list } = JSON.parse(saved) as { readonly revoke?: { readonly tok?: readonly WireToken[] } }
      for (const token of list?.tok ?? []) revoke(node, token)
    },
    handlerStarts(run) {
      const { node, behavior, envelope } = run
      const caller = owners.ownerOf(envelope.from.id)
      if (caller === undefined) {
        world.violate('capability', `${node.name} ran ${behavior} for a stranger`)
        return
      }
      if (caller === node || isGuest(run, caller) || isPartner(run, caller)) return
      world.violate('capability', `${node.name} ran ${behavior} for ${caller.name}, which has no right to it`)
    }
  }
}

function isOwner(record: PlainRecord | undefined, caller: SimulatedNode): boolean {
  const owner = text(record, 'owner')
  return owner !== '' && (owner === caller.key.did || owner === caller.user.did)
}

function implies(granted: string, wanted: string): boolean {
  return wanted === granted || wanted.startsWith(`${granted}/`)
}

function topicOf(behavior: string): string {
  return `/nunet${behavior.slice(behavior.lastIndexOf('/'))}`
}
