import type { Observer } from '../observer.ts'
import { type CommittedRecords, number, type PlainRecord, part, text } from '../records.ts'
import type { SimulatedNode } from '../simulated-node.ts'
import type { World } from '../world.ts'

const PARTS = ['cpuCores', 'memory', 'disk'] as const

/** What is counted: the parts, and the memory of each graphics card under `card <name>`. */
type Counts = ReadonlyMap<string, number>

/**
 * Free resources are never negative and never leak: what is promised fits into the offer at every write, what the node says is free
 * is no more than the rest, and once everything has ended nothing is promised any more.
 */
export function resourcesInvariant(world: World, records: CommittedRecords): Observer {
  function promised(node: SimulatedNode): Counts {
    const now = node.now()
    const live = [...records.all(node, 'commitments').values()].filter(
      (commitment) => text(commitment, 'state') === 'allocated' || number(commitment, 'expiresAt') >= now
    )
    const sums = new Map<string, number>()
    for (const commitment of live) {
      for (const [name, value] of countsOf(part(commitment, 'amount'))) sums.set(name, (sums.get(name) ?? 0) + value)
    }
    return sums
  }

  function check(node: SimulatedNode): void {
    const offer = countsOf(records.get(node, 'offer', 'current'))
    for (const [name, sum] of promised(node)) {
      const lent = offer.get(name) ?? 0
      if (sum > lent + 1e-6) world.violate('resources', `${node.name} has promised ${sum} ${name}, but lends ${lent}`)
    }
  }

  function checkFree(node: SimulatedNode): void {
    const { running } = node
    if (running === undefined) return
    const free = countsOf({ ...running.node.ledger.free() })
    const sum = promised(node)
    for (const [name, lent] of countsOf(records.get(node, 'offer', 'current'))) {
      const left = lent - (sum.get(name) ?? 0)
      const told = free.get(name) ?? 0
      if (Math.abs(told - left) > 1e-6) world.violate('resources', `${node.name} says ${told} ${name} are free, ${left} are`)
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

function countsOf(amount: PlainRecord | undefined): Counts {
  const { gpus } = amount ?? {}
  const shares = Array.isArray(gpus) ? (gpus as readonly PlainRecord[]) : []
  return new Map([
    ...PARTS.map((name) => [name, number(amount, name)] as const),
    ...shares.map((share) => [`card ${text(share, 'device')}`, number(share, 'vram')] as const)
  ])
}
