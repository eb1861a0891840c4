import { err, ok, type Result } from '../../base/index.ts'
import { isAcceptablePlace } from '../place.ts'
import type { Bid, Blueprint, BlueprintNode, Plan, PlannedAllocation, PlannedNode } from './plan.ts'

/** Nodes without a usable bid, with the reason for each. */
export interface Unplaced {
  readonly reasons: readonly string[]
}

/**
 * Chooses one bid per node.
 *
 * Pure: the same bids in the same order give the same plan. A peer that serves no other node yet is preferred; two nodes
 * may share a peer, since a provider bids only for what still fits beside its other bids (C §15.1, 6).
 */
export function place(ensembleId: string, blueprint: Blueprint, bids: readonly Bid[]): Result<Plan, Unplaced> {
  const nodes: Record<string, PlannedNode> = {}
  const used = new Set<string>()
  const reasons: string[] = []
  for (const node of byFewestBids(blueprint.nodes, bids)) {
    const usable = bids.filter((bid) => bid.node === node.name && isUsable(bid, node, blueprint))
    const chosen = usable.find(({ peer }) => !used.has(peer)) ?? usable[0]
    if (chosen === undefined) {
      reasons.push(`no bid for node ${node.name}${node.peer === '' ? '' : ` from its peer ${node.peer}`}`)
      continue
    }
    used.add(chosen.peer)
    nodes[node.name] = { peer: chosen.peer, handle: chosen.handle, place: chosen.place }
  }
  return reasons.length > 0 ? err({ reasons }) : ok({ nodes, allocations: plannedAllocations(ensembleId, blueprint) })
}

function isUsable(bid: Bid, node: BlueprintNode, { excludedPeers }: Blueprint): boolean {
  if (excludedPeers.includes(bid.peer)) return false
  return node.peer === '' ? isAcceptablePlace(bid.place, node.place) : node.peer === bid.peer
}

/** Nodes with the smallest choice first, so that they are not left without. */
function byFewestBids(nodes: readonly BlueprintNode[], bids: readonly Bid[]): readonly BlueprintNode[] {
  const count = (name: string): number => bids.filter(({ node }) => node === name).length
  return [...nodes].sort((a, b) => count(a.name) - count(b.name))
}

function plannedAllocations(ensembleId: string, { nodes, allocations }: Blueprint): Record<string, PlannedAllocation> {
  const planned = nodes.flatMap((node) =>
    node.allocations.map((name): readonly [string, PlannedAllocation] => {
      const key = `${node.name}.${name}`
      const type = allocations.get(name)?.type ?? 'service'
      return [key, { id: `${ensembleId}_${key}`, node: node.name, name, type, status: 'pending', error: '', hasOutput: false }]
    })
  )
  return Object.fromEntries(planned)
}
