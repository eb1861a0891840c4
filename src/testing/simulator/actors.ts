import type { Observer } from './observer.ts'
import type { SimulatedNode } from './simulated-node.ts'

/** Whose every actor is, as the wire shows it: an honest node sends nothing in the name of actors of others. */
export interface ActorOwners extends Observer {
  /** The node of an actor, by its id; undefined for strangers. */
  ownerOf(actorId: string): SimulatedNode | undefined
}

/** Creates the register. */
export function createActorOwners(nodeOf: (peerId: string) => SimulatedNode | undefined): ActorOwners {
  const owners = new Map<string, SimulatedNode>()
  return {
    ownerOf: (actorId) => owners.get(actorId),
    frameSent({ from, head, isHostile }) {
      const node = isHostile ? undefined : nodeOf(from)
      if (node === undefined || head === undefined || owners.has(head.from)) return
      owners.set(head.from, node)
    }
  }
}
