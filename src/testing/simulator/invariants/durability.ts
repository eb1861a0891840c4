import type { HandlerOutcome, HandlerRun, Observer } from '../observer.ts'
import { type CommittedRecords, type PlainRecord, part, phaseOf, text } from '../records.ts'
import type { SimulatedNode } from '../simulated-node.ts'
import type { World } from '../world.ts'

/** The phases in which the disk of an orchestrator must be before it sends a message, by the end of the message's path. */
const PHASE_OF_STEP: Readonly<Record<string, ReadonlySet<string>>> = {
  '/dms/deployment/commit': new Set(['committing']),
  '/dms/deployment/allocate': new Set(['allocating']),
  '/dms/deployment/revert': new Set(['bidding', 'committing', 'allocating', 'starting', 'running', 'stopping', 'ended']),
  '/dms/allocation/start': new Set(['starting'])
}

const SHUTDOWN = /^\/dms\/ensemble\/[^/]+\/allocation\/shutdown$/

/** State is durable before its effect: what a node answers, and what it asks of others, is on its disk before. */
export function durabilityInvariant(
  world: World,
  records: CommittedRecords,
  nodeOf: (peerId: string) => SimulatedNode | undefined
): Observer {
  function require(condition: boolean, message: string): void {
    if (!condition) world.violate('durability', message)
  }

  function checkReply({ node, behavior, request, envelope }: HandlerRun, reply: PlainRecord): void {
    const asked = request as PlainRecord
    switch (behavior) {
      case '/dms/node/deployment/new': {
        const id = text(reply, 'ensembleId')
        require(records.get(node, 'deployments', id) !== undefined, `${node.name} answered for ${id} before it was stored`)
        return
      }
      case '/dms/deployment/commit': {
        const id = text(asked, 'allocation')
        const known = [...records.all(node, 'commitments').keys()].some((stored) => stored === id || stored.endsWith(`.${id}`))
        require(known, `${node.name} promised ${id} to ${envelope.from.host} before it was stored`)
        return
      }
      case '/dms/deployment/allocate': {
        for (const id of Object.keys(part(reply, 'allocations') ?? {})) {
          require(records.get(node, 'allocations', id) !== undefined, `${node.name} answered with ${id} before it was stored`)
        }
        return
      }
      case '/dms/node/onboarding/onboard':
        require(records.get(node, 'offer', 'current') !== undefined, `${node.name} said it is onboarded before it was stored`)
        return
      case '/dms/node/onboarding/offboard':
        require(records.get(node, 'offer', 'current') === undefined, `${node.name} said it is offboarded before it was stored`)
        return
      default:
    }
  }

  return {
    handlerEnds(run: HandlerRun, outcome: HandlerOutcome) {
      if ('reply' in outcome && typeof outcome.reply === 'object' && outcome.reply !== null) {
        checkReply(run, outcome.reply as PlainRecord)
      }
    },
    frameSent({ from, head, isHostile }) {
      const node = isHostile || head === undefined ? undefined : nodeOf(from)
      if (node === undefined || head === undefined) return
      const deployment = records.get(node, 'deployments', head.fromInbox)
      const phases = SHUTDOWN.test(head.behavior) ? new Set(['stopping', 'ended']) : PHASE_OF_STEP[head.behavior]
      if (phases === undefined || node.running === undefined) return
      const phase = phaseOf(deployment)
      require(phases.has(phase), `${node.name} sends ${head.behavior} while its record says ${phase === '' ? 'nothing' : phase}`)
    }
  }
}
