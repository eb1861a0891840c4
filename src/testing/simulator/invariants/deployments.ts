import { fromUtf8 } from '../../../base/index.ts'
import type { Observer } from '../observer.ts'
import { type CommittedRecords, number, type PlainRecord, part, phaseOf, text } from '../records.ts'
import type { SimulatedNode } from '../simulated-node.ts'
import type { World } from '../world.ts'

/**
 * Every deployment ends or runs, and what it says of its end is true: what completed has run, to an exit code of 0, on the machine
 * that is named, and its output is here, byte for byte.
 */
export function deploymentsInvariant(world: World, records: CommittedRecords): Observer {
  /** Peers that have run an allocation. */
  const ranOn = new Map<string, Set<string>>()

  function checkEnd(node: SimulatedNode, id: string, record: PlainRecord): void {
    const plan = part(part(record, 'state'), 'plan')
    for (const [key, value] of Object.entries(part(plan, 'allocations') ?? {})) {
      const allocation = value as PlainRecord
      if (text(allocation, 'status') !== 'completed') continue
      const peer = text(part(part(plan, 'nodes'), text(allocation, 'node')), 'peer')
      const name = `${key} of ${id} of ${node.name}`
      if (ranOn.get(text(allocation, 'id'))?.has(peer) !== true) world.violate('outcome', `${name} completed, but never ran`)
      const ensemble = part(part(record, 'ensemble'), 'v1')
      const execution = part(part(part(ensemble, 'allocations'), text(allocation, 'name')), 'execution')
      const params = part(execution, 'params')
      if (number(params, 'exit_code') !== 0) world.violate('outcome', `${name} completed with an exit code that is not 0`)
      if (allocation['hasOutput'] !== true) continue
      const output = node.disk.output.get(`/deployments/${id}/${key}`)
      const found = fromUtf8(output?.stdout ?? new Uint8Array())
      const wanted = text(params, 'stdout')
      if (found !== wanted) world.violate('output', `${name} has the output ${quote(found)} instead of ${quote(wanted)}`)
    }
  }

  return {
    runStarting: (node, id) => void ranOn.set(id, (ranOn.get(id) ?? new Set()).add(node.key.peerId)),
    settled(nodes) {
      for (const node of nodes) {
        if (node.isGone) continue
        for (const [id, record] of records.all(node, 'deployments')) {
          const phase = phaseOf(record)
          if (phase === 'ended') checkEnd(node, id, record)
          else world.violate('liveness', `deployment ${id} of ${node.name} is still ${phase}`)
        }
        for (const [id, record] of records.all(node, 'allocations')) {
          const phase = phaseOf(record)
          if (phase !== 'ended') world.violate('liveness', `allocation ${id} of ${node.name} is still ${phase}`)
        }
      }
    }
  }
}

function quote(output: string): string {
  return output.length > 80 ? `${JSON.stringify(output.slice(0, 80))}… (${output.length} characters)` : JSON.stringify(output)
}
