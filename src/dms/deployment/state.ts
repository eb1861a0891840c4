import type { Handle } from '../../actor/index.ts'
import { type Millis, unreachable } from '../../base/index.ts'
import type { DeploymentStatus } from '../../protocol/index.ts'
import { place } from './placement.ts'
import { type Bid, type Blueprint, hasEnded, type Plan, type PlannedAllocation, type PortMapping } from './plan.ts'

/** How a deployment ended. */
export type Outcome = 'completed' | 'failed'

/** What all phases before the end share: how often bids were asked for, and which peers failed in the round before. */
interface Attempt {
  readonly round: number
  readonly avoid: readonly string[]
  /** Why a provider said that the job can run nowhere as it is; another one is asked before that is believed. */
  readonly verdict?: string
}

/** Where a deployment stands. Durable: every change is written before its effects run. */
export type DeploymentState =
  /** `undo`: what the round before has left at providers; given back again after a restart. */
  | (Attempt & { readonly phase: 'bidding'; readonly undo?: Plan })
  | (Attempt & { readonly phase: 'committing' | 'allocating' | 'starting'; readonly plan: Plan })
  | { readonly phase: 'running'; readonly plan: Plan }
  | { readonly phase: 'stopping'; readonly plan: Plan; readonly outcome: Outcome; readonly reason: string }
  | { readonly phase: 'ended'; readonly plan?: Plan; readonly outcome: Outcome; readonly reason: string }

/** What happens to a deployment. Allocations are named by manifest key. */
export type DeploymentEvent =
  | { readonly type: 'created' | 'restarted' | 'shutdown' | 'stopped' }
  | { readonly type: 'committed'; readonly ports: Readonly<Record<string, readonly PortMapping[]>> }
  /** `isAlone`: no other node is connected that could have heard of it. */
  | { readonly type: 'bids'; readonly bids: readonly Bid[]; readonly isAlone?: boolean }
  /** `isFinal`: the provider says that the fault is in the job, and asking again changes nothing. */
  | { readonly type: 'refused'; readonly peer: string; readonly reason: string; readonly isFinal?: boolean }
  | { readonly type: 'allocated'; readonly handles: Readonly<Record<string, Handle>> }
  | { readonly type: 'started'; readonly key: string }
  | {
      readonly type: 'allocation-ended'
      readonly key: string
      readonly status: 'completed' | 'failed' | 'terminated'
      readonly exitCode?: number
      readonly error: string
    }
  | { readonly type: 'output-saved'; readonly key: string }

/**
 * What to do next; each is idempotent.
 *
 * `save-output` and `watch` name one allocation; `revert` and `stop` carry the plan that they undo.
 */
export type DeploymentEffect =
  | { readonly type: 'request-bids' | 'commit' | 'allocate' | 'start' | 'finish' }
  | { readonly type: 'revert' | 'stop'; readonly plan: Plan }
  | { readonly type: 'watch' | 'save-output'; readonly key: string }

/** The next state and what to do. */
export interface DeploymentStep {
  readonly next: DeploymentState
  readonly effects: readonly DeploymentEffect[]
  /** A line for the deployment's journal. */
  readonly note?: string
}

/** What the decision depends on besides the state. */
export interface DeploymentFacts {
  readonly id: string
  readonly blueprint: Blueprint
  /** After this no new round of bids begins (C §8.2). */
  readonly deadline: Millis
  readonly now: Millis
}

/** The state of a new deployment. */
export const INITIAL: DeploymentState = Object.freeze({ phase: 'bidding', round: 1, avoid: [] })

/** The life of a deployment as a pure function (C §8). Events that do not fit the state change nothing. */
export function advance(state: DeploymentState, event: DeploymentEvent, facts: DeploymentFacts): DeploymentStep {
  if (event.type === 'restarted') return resume(state)
  if (event.type === 'shutdown') return shutdown(state)
  switch (state.phase) {
    case 'bidding':
      return fromBidding(state, event, facts)
    case 'committing':
    case 'allocating':
    case 'starting':
      return fromPreparing(state, event, facts)
    case 'running':
      return fromRunning(state, event, facts)
    case 'stopping':
      return fromStopping(state, event, facts)
    case 'ended':
      return stay(state)
    default:
      return unreachable(state)
  }
}

type Of<Phase> = Extract<DeploymentState, { phase: Phase }>
type Preparing = Of<'committing' | 'allocating' | 'starting'>

function stay(state: DeploymentState): DeploymentStep {
  return { next: state, effects: [] }
}

function endNote(outcome: Outcome, reason: string): string {
  return reason === '' ? outcome : `${outcome}: ${reason}`
}

/** After a restart of this node: do the effects of the current phase again. */
function resume(state: DeploymentState): DeploymentStep {
  const note = 'resumed after a restart of this node'
  switch (state.phase) {
    case 'bidding':
      return { next: state, effects: [...undoing(state), { type: 'request-bids' }], note }
    case 'committing':
      return { next: state, effects: [{ type: 'commit' }], note }
    case 'allocating':
      return { next: state, effects: [{ type: 'allocate' }], note }
    case 'starting':
      return { next: state, effects: [{ type: 'start' }, ...supervise(state.plan)], note }
    case 'running':
      return { next: state, effects: supervise(state.plan), note }
    case 'stopping':
      return { next: state, effects: [{ type: 'stop', plan: state.plan }], note }
    case 'ended':
      return stay(state)
    default:
      return unreachable(state)
  }
}

function undoing({ undo }: Of<'bidding'>): DeploymentEffect[] {
  return undo === undefined ? [] : [{ type: 'revert', plan: undo }]
}

/** Watches what runs, fetches what has ended and is not here yet. */
function supervise(plan: Plan): DeploymentEffect[] {
  return Object.entries(plan.allocations).flatMap(([key, allocation]): DeploymentEffect[] => {
    if (allocation.status === 'running') return [{ type: 'watch', key }]
    return hasEnded(allocation) && !allocation.hasOutput ? [{ type: 'save-output', key }] : []
  })
}

function shutdown(state: DeploymentState): DeploymentStep {
  const note = 'shutdown requested'
  switch (state.phase) {
    case 'bidding':
      return {
        next: { phase: 'ended', outcome: 'failed', reason: 'shut down before it ran' },
        effects: [{ type: 'finish' }],
        note
      }
    case 'committing':
    case 'allocating':
    case 'starting': {
      const { plan } = state
      const next = { phase: 'stopping', plan, outcome: 'failed', reason: 'shut down before it ran' } as const
      return { next, effects: [{ type: 'stop', plan }], note }
    }
    case 'running': {
      const { plan } = state
      return { next: { phase: 'stopping', plan, outcome: 'completed', reason: '' }, effects: [{ type: 'stop', plan }], note }
    }
    case 'stopping':
    case 'ended':
      return stay(state)
    default:
      return unreachable(state)
  }
}

/** What the operator can do something about, when nobody could bid. */
const ALONE =
  'this machine has no connection to any other node: neither directly nor through a relay (docs/guides/reachability.md)'

function fromBidding(
  state: Of<'bidding'>,
  event: DeploymentEvent,
  { id, blueprint, deadline, now }: DeploymentFacts
): DeploymentStep {
  if (event.type === 'created') return { next: state, effects: [{ type: 'request-bids' }], note: 'asking for bids' }
  if (event.type !== 'bids') return stay(state)
  const usable = event.bids.filter(({ peer }) => !state.avoid.includes(peer))
  const plan = place(id, blueprint, usable)
  const alone = event.isAlone === true ? [ALONE] : []
  const heard =
    event.bids.length === 0 ? 'nobody bid' : `bids: ${event.bids.map(({ node, peer }) => `${node} ← ${peer}`).join(', ')}`
  if (plan.ok) {
    const chosen = Object.entries(plan.value.nodes).map(([node, { peer }]) => `${node} on ${peer}`)
    const { round, avoid, verdict } = state
    const next = { phase: 'committing', plan: plan.value, round, avoid, ...withVerdict(verdict) } as const
    return { next, effects: [{ type: 'commit' }], note: `round ${state.round}: ${heard}; placed ${chosen.join(', ')}` }
  }
  const reasons = [...plan.error.reasons, ...alone].join(', ')
  const why = `round ${state.round}: ${heard}; ${reasons}`
  if (state.verdict !== undefined)
    return giveUp(state.undo && withoutHandles(state.undo), state.verdict, `${why}; nobody else can be asked`)
  if (now >= deadline) {
    const next = { phase: 'ended', outcome: 'failed', reason: reasons } as const
    return { next, effects: [{ type: 'finish' }], note: `${why}; no time is left` }
  }
  // Peers that failed once are left out for one round only: they may be the only ones, and back again.
  return { next: { ...state, round: state.round + 1, avoid: [] }, effects: [{ type: 'request-bids' }], note: why }
}

function fromPreparing(state: Preparing, event: DeploymentEvent, facts: DeploymentFacts): DeploymentStep {
  switch (event.type) {
    case 'refused':
      return tryElsewhere(state, event, facts)
    case 'committed':
      if (state.phase !== 'committing') return stay(state)
      return {
        next: { ...state, phase: 'allocating', plan: withPorts(state.plan, event.ports) },
        effects: [{ type: 'allocate' }],
        note: ['resources are committed', ...Object.entries(event.ports).flatMap(describePorts)].join('; ')
      }
    case 'allocated':
      if (state.phase !== 'allocating') return stay(state)
      return {
        next: { ...state, phase: 'starting', plan: withHandles(state.plan, event.handles) },
        effects: [{ type: 'start' }],
        note: 'allocations are created'
      }
    case 'started':
      return afterStart(state, event.key)
    case 'allocation-ended':
      return afterEnd(state, event, facts)
    case 'output-saved':
      return { next: { ...state, plan: change(state.plan, event.key, { hasOutput: true }) }, effects: [] }
    default:
      return stay(state)
  }
}

function tryElsewhere(
  state: Preparing,
  { peer, reason, isFinal = false }: Extract<DeploymentEvent, { type: 'refused' }>,
  { deadline, now, blueprint }: DeploymentFacts
): DeploymentStep {
  const note = `${peer} refused: ${reason}`
  const revert = { type: 'revert', plan: state.plan } as const
  const isPinned = blueprint.nodes.some((node) => node.peer === peer)
  const isBelieved = isFinal && (isPinned || state.verdict !== undefined)
  if (now >= deadline || isBelieved) return giveUp(state.plan, note, note)
  const next = {
    phase: 'bidding',
    round: state.round + 1,
    avoid: [...new Set([...state.avoid, peer])],
    undo: state.plan,
    ...withVerdict(isFinal ? note : state.verdict)
  } as const
  return { next, effects: [revert, { type: 'request-bids' }], note }
}

function withVerdict(verdict: string | undefined): { readonly verdict?: string } {
  return verdict === undefined ? {} : { verdict }
}

/** For what was reverted already: its allocations cannot be spoken to any more, reverting again is what is left to do. */
function withoutHandles(plan: Plan): Plan {
  const allocations = Object.entries(plan.allocations).map(([key, { handle, ...rest }]) => [key, rest] as const)
  return { ...plan, allocations: Object.fromEntries(allocations) }
}

/** The end of a deployment that never ran. */
function giveUp(plan: Plan | undefined, reason: string, note: string): DeploymentStep {
  if (plan === undefined) {
    return { next: { phase: 'ended', outcome: 'failed', reason }, effects: [{ type: 'finish' }], note }
  }
  return { next: { phase: 'stopping', plan, outcome: 'failed', reason }, effects: [{ type: 'stop', plan }], note }
}

function afterStart(state: Preparing, key: string): DeploymentStep {
  const allocation = state.plan.allocations[key]
  if (state.phase !== 'starting' || allocation?.status !== 'pending') return stay(state)
  const plan = change(state.plan, key, { status: 'running' })
  const watch = { type: 'watch', key } as const
  return { ...whenAllStarted({ ...state, plan }, [watch]), note: `${key} is started` }
}

function whenAllStarted(state: Preparing, effects: readonly DeploymentEffect[]): DeploymentStep {
  const isPending = Object.values(state.plan.allocations).some(({ status }) => status === 'pending')
  return isPending ? { next: state, effects } : whenAllEnded(state.plan, effects)
}

/** A running deployment goes on until every allocation has ended and its output lies here. */
function whenAllEnded(plan: Plan, effects: readonly DeploymentEffect[]): DeploymentStep {
  const all = Object.values(plan.allocations)
  if (!all.every((allocation) => hasEnded(allocation) && allocation.hasOutput)) {
    return { next: { phase: 'running', plan }, effects }
  }
  const bad = Object.entries(plan.allocations).filter(([, { status }]) => status !== 'completed')
  const outcome = bad.length === 0 ? 'completed' : 'failed'
  const reason = bad.map(([key, { status, error }]) => `${key} ${error === '' ? status : error}`).join('; ')
  const next = { phase: 'stopping', plan, outcome, reason } as const
  return { next, effects: [...effects, { type: 'stop', plan }], note: 'all allocations have ended' }
}

function afterEnd(
  state: Preparing | Of<'running'>,
  event: Extract<DeploymentEvent, { type: 'allocation-ended' }>,
  { now }: DeploymentFacts
): DeploymentStep {
  const { key, status, exitCode, error } = event
  const allocation = state.plan.allocations[key]
  if (allocation === undefined || hasEnded(allocation)) return stay(state)
  const plan = change(state.plan, key, { status, error, endedAt: now, ...(exitCode === undefined ? {} : { exitCode }) })
  const save = { type: 'save-output', key } as const
  const note = `${key} ${status}${error === '' ? '' : `: ${error}`}`
  if (state.phase === 'running') return { next: { ...state, plan }, effects: [save], note }
  return { ...whenAllStarted({ ...state, plan }, [save]), note }
}

function fromRunning(state: Of<'running'>, event: DeploymentEvent, facts: DeploymentFacts): DeploymentStep {
  if (event.type === 'allocation-ended') return afterEnd(state, event, facts)
  if (event.type !== 'output-saved') return stay(state)
  return whenAllEnded(change(state.plan, event.key, { hasOutput: true }), [])
}

function fromStopping(state: Of<'stopping'>, event: DeploymentEvent, { now }: DeploymentFacts): DeploymentStep {
  const { outcome, reason } = state
  if (event.type === 'output-saved') return stay({ ...state, plan: change(state.plan, event.key, { hasOutput: true }) })
  if (event.type !== 'stopped') return stay(state)
  const plan = Object.entries(state.plan.allocations)
    .filter(([, allocation]) => !hasEnded(allocation))
    .reduce((ended, [key]) => change(ended, key, { status: 'terminated', endedAt: now }), state.plan)
  return { next: { phase: 'ended', plan, outcome, reason }, effects: [{ type: 'finish' }], note: endNote(outcome, reason) }
}

function change(plan: Plan, key: string, changes: Partial<PlannedAllocation>): Plan {
  const allocation = plan.allocations[key]
  if (allocation === undefined) return plan
  return { ...plan, allocations: { ...plan.allocations, [key]: { ...allocation, ...changes } } }
}

function withHandles(plan: Plan, handles: Readonly<Record<string, Handle>>): Plan {
  return Object.entries(handles).reduce((changed, [key, handle]) => change(changed, key, { handle }), plan)
}

function withPorts(plan: Plan, ports: Readonly<Record<string, readonly PortMapping[]>>): Plan {
  return Object.entries(ports).reduce((changed, [key, own]) => change(changed, key, { ports: own }), plan)
}

function describePorts([key, ports]: readonly [string, readonly PortMapping[]]): readonly string[] {
  return ports.length === 0 ? [] : [`${key} has ports ${ports.map((port) => `${port.public} → ${port.private}`).join(', ')}`]
}

/** The plan of a state that has one. */
export function planOf(state: DeploymentState): Plan | undefined {
  return state.phase === 'bidding' ? undefined : state.plan
}

/** The status word of the wire (C §8.1). */
export function statusOf(state: DeploymentState): DeploymentStatus {
  switch (state.phase) {
    case 'bidding':
      return 'Preparing'
    case 'committing':
    case 'allocating':
      return 'Committing'
    case 'starting':
      return 'Provisioning'
    case 'running':
      return 'Running'
    case 'stopping':
      return 'ShuttingDown'
    case 'ended':
      return state.outcome === 'completed' ? 'Completed' : 'Failed'
    default:
      return unreachable(state)
  }
}
