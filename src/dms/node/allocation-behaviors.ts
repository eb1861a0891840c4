import type { Actor } from '../../actor/index.ts'
import type { Millis } from '../../base/index.ts'
import type { HardwareProbe, Machine } from '../../hardware/index.ts'
import { ALLOCATION_PAGE, allocationsList } from '../../protocol/index.ts'
import { type AllocationRecord, type Allocations, statusText } from '../allocation/index.ts'
import { BadRequestError } from './errors.ts'
import { amountResources } from './wire-resources.ts'

/** What the list of allocations is made of. */
export interface AllocationBehaviorsOptions {
  readonly actor: Actor
  readonly allocations: Pick<Allocations, 'list'>
  readonly hardware: HardwareProbe
}

/** Characters of an error in the list, so that a full page fits into a message. */
const MAX_ERROR = 512

const STATUSES = ['pending', 'running', 'stopped', 'completed', 'failed', 'terminated'] as const

/** Serves `/dms/node/allocations/list` (B §7.1). */
export function serveAllocationBehaviors({ actor, allocations, hardware }: AllocationBehaviorsOptions): void {
  actor.on(allocationsList, async ({ limit = 0, offset = 0, status = [] }, _envelope, options) => {
    const wanted = status.map(knownStatus)
    const found = [...allocations.list()]
      .filter(({ state }) => wanted.length === 0 || wanted.includes(statusText(state)))
      .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
    const page = found.slice(offset, offset + Math.min(limit === 0 ? ALLOCATION_PAGE : limit, ALLOCATION_PAGE))
    const machine = await hardware.capacity(options)
    const end = offset + page.length
    const hasMore = end < found.length
    return {
      allocations: page.map((record) => describe(record, machine)),
      error: '',
      total: found.length,
      hasMore,
      ...(hasMore ? { nextOffset: end } : {})
    }
  })
}

function knownStatus(word: string): string {
  const known = STATUSES.find((status) => status === word.toLowerCase())
  if (known === undefined) throw new BadRequestError(`unknown status ${JSON.stringify(word)}; known are ${STATUSES.join(', ')}`)
  return known
}

function describe(
  { id, state, type, ensembleId, nodeId, owner, executor, amount, ports, createdAt }: AllocationRecord,
  machine: Machine
) {
  const run = 'run' in state ? state.run : undefined
  return {
    id,
    status: statusText(state),
    type,
    ensembleId,
    nodeId,
    owner,
    executor,
    ...(run === undefined ? {} : { containerId: run.replace(`${executor}:`, '') }),
    resources: amountResources(amount, machine),
    ...(ports.length === 0 ? {} : { usingPorts: ports.map((port) => port.public) }),
    createdAt: iso(createdAt),
    ...('startedAt' in state ? { startedAt: iso(state.startedAt) } : {}),
    ...(state.phase === 'ended' ? endOf(state) : {})
  }
}

function endOf({ endedAt, exitCode, error }: Extract<AllocationRecord['state'], { phase: 'ended' }>) {
  return {
    endedAt: iso(endedAt),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(error === '' ? {} : { error: error.slice(0, MAX_ERROR) })
  }
}

function iso(instant: Millis): string {
  return new Date(instant).toISOString()
}
