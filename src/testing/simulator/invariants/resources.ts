import type { Observer } from '../observer.ts'
import { type CommittedRecords, number, type PlainRecord, part, text } from '../records.ts'
import type { SimulatedNode } from '../simulated-node.ts'
import type { World } from '../world.ts'

const PARTS = ['cpuCores', 'memory', 'disk'] as const

/**
 * Free resources are never negative and never leak: what is promised fits into the offer at every write, what the node says is free
 * is no more than the rest, and once everything has ended nothing is promised any more.
 */
export function resourcesInvariant(world: World, records: CommittedRecords): Observer {
  function promised(node: SimulatedNode): Record<(typeof PARTS)[number], number> {
    const now = node.now()
    const live = [...records.all(node, 'commitments').values()].filter(
      (commitment) => text(commitment, 'state') === 'allocated' || number(commitment, 'expiresAt') >= now
    )
    const sum = (name: (typeof PARTS)[number]): number =>
      live.reduce((total, commitment) => total + number(part(commitment, 'amount'), name), 0)
    return { cpuCores: Math.round(sum('cpuCores') * 100) / 100, memory: sum('memory'), disk: sum('disk') }
  }

  function check(node: SimulatedNode): void {
    const offer: PlainRecord | undefined = records.get(node, 'offer', 'current')
    const sum = promised(node)
    for (const name of PARTS) {
      if (sum[name] > number(offer, name) + 1e-6) {
        world.violate('resources', `${node.name} has promised ${sum[name]} ${name}, but lends ${number(offer, name)}`)
      }
    }
  }

  function checkFree(node: SimulatedNode): void {
    const { running } = node
    if (running === undefined) return
    const offer = records.get(node, 'offer', 'current')
    const free = running.node.ledger.free()
    const sum = promised(node)
    for (const name of PARTS) {
      const left = number(offer, name) - sum[name]
      if (Math.abs(free[name] - left) > 1e-6) {
        world.violate('resources', `${node.name} says ${free[name]} ${name} are free, ${left} are`)
      }
    }
  }

  return {
    committed(node, changes) {
      if (changes.some(({ collection }) => collection === 'commitments' || collection === 'offer')) check(node)
    },
    settled(nodes) {
      for (const node of nodes) {
        checkFree(node)
        for (const [id, commitment] of records.all(node, 'commitments')) {
          if (text(commitment, 'state') !== 'allocated') continue
          world.violate('resources', `${node.name} still keeps resources for ${id}, which nobody uses any more`)
        }
      }
    }
  }
}
