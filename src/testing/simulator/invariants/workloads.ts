import type { RunHandle } from '../../../executor/index.ts'
import type { Observer } from '../observer.ts'
import { type CommittedRecords, number, phaseOf, text } from '../records.ts'
import type { SimulatedNode } from '../simulated-node.ts'
import type { World } from '../world.ts'

/** The phases in which a workload may be started, ended and removed. */
const MAY_START: ReadonlySet<string> = new Set(['starting', 'running', 'stopping'])
const MAY_STOP: ReadonlySet<string> = new Set(['stopping'])
const MAY_REMOVE: ReadonlySet<string> = new Set(['ended', 'gone', ''])

/**
 * Nothing runs twice, nothing runs without a record of it, and in the end nothing runs that nobody owns: the record is on the disk
 * before the executor is asked for anything, so no crash leaves a workload that no node knows of.
 */
export function workloadsInvariant(world: World, records: CommittedRecords): Observer {
  /** By node, allocation and creation: which machine has run it. */
  const runs = new Map<string, object>()

  function requirePhase(node: SimulatedNode, id: string, phases: ReadonlySet<string>, deed: string): void {
    const phase = phaseOf(records.get(node, 'allocations', id))
    if (phases.has(phase)) return
    world.violate('durability', `${node.name} ${deed} ${id}, but its record says ${phase === '' ? 'nothing' : phase}`)
  }

  function idOf(node: SimulatedNode, handle: RunHandle): string | undefined {
    return node.workloads.machine.runs.get(handle)?.id
  }

  return {
    runStarting(node, id, isNew) {
      world.note(node.name, `runs ${shortId(id)}${isNew ? '' : ' (again)'}`)
      requirePhase(node, id, MAY_START, 'starts')
      if (text(records.get(node, 'commitments', id), 'state') !== 'allocated') {
        world.violate('resources', `${node.name} starts ${id} without resources for it`)
      }
      if (!isNew) return
      const life = `${node.name} ${id} ${number(records.get(node, 'allocations', id), 'createdAt')}`
      if (runs.get(life) === node.workloads.machine) world.violate('once', `${node.name} runs ${id} a second time`)
      runs.set(life, node.workloads.machine)
    },
    runStopping(node, handle) {
      const id = idOf(node, handle)
      if (id === undefined) return
      world.note(node.name, `stops ${shortId(id)}`)
      requirePhase(node, id, MAY_STOP, 'stops')
    },
    runRemoving(node, handle) {
      const id = idOf(node, handle)
      if (id === undefined) return
      world.note(node.name, `removes ${shortId(id)}`)
      requirePhase(node, id, MAY_REMOVE, 'removes')
    },
    settled(nodes) {
      for (const node of nodes) {
        for (const { id } of node.workloads.machine.runs.values()) {
          world.violate('orphan', `${id} is still on ${node.name}, and nobody owns it`)
        }
      }
    }
  }
}

/** Ids of ensembles are long: the beginning of one, and what follows it. */
export function shortId(id: string): string {
  return id.length <= 64 ? id.slice(0, 8) : `${id.slice(0, 8)}${id.slice(64)}`
}
