import { type Handle, RemoteError } from '../../actor/index.ts'
import {
  type Clock,
  createSerialQueue,
  DmsError,
  errorMessage,
  hours,
  type Logger,
  type Millis,
  mapConcurrently,
  millis,
  minutes,
  seconds,
  unreachable
} from '../../base/index.ts'
import type { JobOutput } from '../output.ts'
import { saveOutput } from './collect-output.ts'
import { BadOutputsError, RefusedError } from './errors.ts'
import { fetchOutputs, giveUpOutputs } from './fetched-outputs.ts'
import type { Orchestrator } from './orchestrator.ts'
import { type Blueprint, type BlueprintAllocation, hasEnded, type Plan, type PortMapping, startLevels } from './plan.ts'
import { type DeploymentRecord, JOURNAL_LIMIT } from './record.ts'
import { startAllocation } from './start-allocation.ts'
import { advance, type DeploymentEffect, type DeploymentEvent, planOf } from './state.ts'
import { watchAllocation } from './watch.ts'

/** Pause before bids are asked for again. */
const ROUND_PAUSE = seconds(2)

/** How long a provider that cannot be reached is tried before another one is looked for. */
const REACH_PATIENCE = seconds(15)

/** Longest line of a journal. */
const MAX_NOTE = 600

/** Messages to providers at once. */
const CONCURRENCY = 16

/** How long the output of an ended allocation is asked for before it is given up: less than its provider keeps it. */
const OUTPUT_PATIENCE = hours(3)

/** How long the end of an allocation is asked for when a deployment stops; after it the provider's own rules end it. */
const STOP_PATIENCE = minutes(2)

/** One deployment: takes events one at a time, writes the new state, then acts. */
export interface DeploymentRunner {
  readonly record: DeploymentRecord
  /** Resolves when the new state is durable; the effects go on by themselves. */
  handle(event: DeploymentEvent): Promise<void>
}

/** What a runner needs. */
export interface DeploymentRunnerOptions {
  readonly record: DeploymentRecord
  readonly blueprint: Blueprint
  readonly orchestrator: Orchestrator
  readonly output: JobOutput
  readonly clock: Clock
  readonly log: Logger
  /** Ends all effects of this process; the deployment goes on at the next start. */
  readonly lifetime: AbortSignal
  /** Whether no other node is connected. */
  isAlone(): boolean
  save(record: DeploymentRecord): Promise<void>
  /** Lets the providers of a plan report to the orchestrator. */
  admit(plan: Plan): Promise<void>
  /** The deployment has ended: its actor and grants can go. */
  finish(): Promise<void>
}

/** Creates the runner of a deployment; it acts only on events. */
export function createDeploymentRunner(options: DeploymentRunnerOptions): DeploymentRunner {
  const { blueprint, orchestrator, output, clock } = options
  const log = options.log.child({ deploymentID: options.record.id, orchestratorID: options.record.id })
  const queue = createSerialQueue()
  const ending = new AbortController()
  const signal = AbortSignal.any([options.lifetime, ending.signal])
  let record = options.record

  function handle(event: DeploymentEvent): Promise<void> {
    return queue.run(async () => {
      const now = clock.now()
      const { next, effects, note } = advance(record.state, event, { id: record.id, blueprint, deadline: record.deadline, now })
      if (next !== record.state || note !== undefined) await write(next, note, now)
      for (const effect of effects) supervise(effect)
    })
  }

  async function write(state: DeploymentRecord['state'], note: string | undefined, now: Millis): Promise<void> {
    const changed: DeploymentRecord = {
      ...record,
      state,
      updatedAt: now,
      ...(state.phase === 'ended' && record.completedAt === undefined ? { completedAt: now } : {}),
      journal: note === undefined ? record.journal : [...record.journal, { at: now, text: clip(note) }].slice(-JOURNAL_LIMIT)
    }
    await options.save(changed)
    if (state.phase === 'stopping' || state.phase === 'ended') ending.abort()
    record = changed
    if (note !== undefined) log.info('deployment', { phase: state.phase, note })
  }

  /** The one place where a failed effect stops travelling: it is repeated as long as its phase lasts. */
  function supervise(effect: DeploymentEffect, pause: Millis = seconds(1)): void {
    const { phase } = record.state
    const retry = async (error: unknown): Promise<void> => {
      if (options.lifetime.aborted || (record.state.phase !== phase && !('key' in effect))) return
      log.warn('deployment effect failed; trying again', { effect: effect.type, error: errorMessage(error), pauseMs: pause })
      await clock.sleep(pause, { signal: 'key' in effect ? signal : options.lifetime })
      supervise(effect, millis(Math.min(pause * 2, 60_000)))
    }
    act(effect)
      .catch(retry)
      .catch(() => undefined) // the process or the deployment ended during the pause
  }

  function act(effect: DeploymentEffect): Promise<void> {
    switch (effect.type) {
      case 'request-bids':
        return requestBids()
      case 'commit':
        return commit()
      case 'allocate':
        return allocate()
      case 'start':
        return start()
      case 'watch':
        return watch(effect.key)
      case 'save-output':
        return fetchOutput(effect.key)
      case 'revert':
        return revert(effect.plan)
      case 'stop':
        return stop(effect.plan)
      case 'finish':
        return options.finish()
      default:
        return unreachable(effect)
    }
  }

  async function requestBids(): Promise<void> {
    const { state } = record
    if (state.phase !== 'bidding') return
    if (state.round > 1) await clock.sleep(ROUND_PAUSE, { signal })
    const bids = await orchestrator.collectBids(blueprint, state.round, state.avoid, { signal }).catch((error: unknown) => {
      if (signal.aborted) throw error
      log.warn('bids cannot be asked for', { error: errorMessage(error) })
      return clock.sleep(ROUND_PAUSE, { signal }).then(() => [])
    })
    await handle({ type: 'bids', bids, isAlone: options.isAlone() })
  }

  function currentPlan(): Plan | undefined {
    return planOf(record.state)
  }

  /** Runs one step at every place; the first refusal names the peer that is left out of the next round. */
  async function everywhere(
    places: readonly string[],
    peerOf: (place: string) => string,
    work: (place: string) => Promise<void>
  ): Promise<boolean> {
    let refusal: Extract<DeploymentEvent, { type: 'refused' }> | undefined
    await mapConcurrently(places, CONCURRENCY, (place) =>
      patiently(() => work(place)).catch((error: unknown) => {
        if (signal.aborted) throw error
        refusal ??= { type: 'refused', peer: peerOf(place), reason: errorMessage(error), isFinal: isOfTheJob(error) }
      })
    )
    if (refusal !== undefined) await handle(refusal)
    return refusal === undefined
  }

  /** Repeats a step while its provider cannot be reached: it may be restarting, or this node not be connected yet. */
  async function patiently(step: () => Promise<void>): Promise<void> {
    const giveUpAt = millis(clock.now() + REACH_PATIENCE)
    for (;;) {
      try {
        await step()
        return
      } catch (error) {
        const isAway = error instanceof DmsError && !(error instanceof RemoteError) && error.kind === 'unavailable'
        if (!isAway || signal.aborted || clock.now() >= giveUpAt) throw error
        await clock.sleep(ROUND_PAUSE, { signal })
      }
    }
  }

  async function commit(): Promise<void> {
    const plan = currentPlan()
    if (plan === undefined) return
    await options.admit(plan)
    // Output of a round before belongs to other allocations.
    for (const key of Object.keys(plan.allocations)) await output.remove(output.directory(record.id, key))
    const ports: Record<string, readonly PortMapping[]> = {}
    const done = await everywhere(Object.keys(plan.allocations), peerOfKey(plan), async (key) => {
      ports[key] = await orchestrator.commit(blueprint, plan, key, { signal })
    })
    if (done) await handle({ type: 'committed', ports })
  }

  async function allocate(): Promise<void> {
    const plan = currentPlan()
    if (plan === undefined) return
    await options.admit(plan)
    const handles: Record<string, Handle> = {}
    const done = await everywhere(
      Object.keys(plan.nodes),
      (node) => plan.nodes[node]?.peer ?? '',
      async (node) => {
        for (const [key, handleOfKey] of Object.entries(await orchestrator.allocate(blueprint, plan, node, { signal }))) {
          if (handleOfKey === undefined) throw new RefusedError(`${key} was not created`)
          handles[key] = handleOfKey
        }
      }
    )
    if (done) await handle({ type: 'allocated', handles })
  }

  async function start(): Promise<void> {
    const plan = currentPlan()
    if (plan === undefined) return
    for (const level of startLevels(blueprint, plan)) {
      const pending = level.filter((key) => plan.allocations[key]?.status === 'pending')
      const done = await everywhere(pending, peerOfKey(plan), async (key) => {
        const allocation = plan.allocations[key]
        if (allocation === undefined) return
        await startAllocation(orchestrator, allocation, clock, log, signal)
        await handle({ type: 'started', key })
      })
      if (!done) return
    }
  }

  async function watch(key: string): Promise<void> {
    const allocation = currentPlan()?.allocations[key]
    if (allocation === undefined) return
    const end = await watchAllocation(orchestrator, allocation, clock, log, signal, () => {
      const current = currentPlan()?.allocations[key]
      return current === undefined || hasEnded(current) || current.handle?.id !== allocation.handle?.id
    })
    if (end !== undefined) await handle({ type: 'allocation-ended', key, ...end })
  }

  async function fetchOutput(key: string): Promise<void> {
    const plan = currentPlan()
    if (plan === undefined) return
    const giveUpAt = millis(clock.now() + OUTPUT_PATIENCE)
    for (let pause = seconds(1); ; pause = millis(Math.min(pause * 2, 30_000))) {
      try {
        await saveOutput(orchestrator, output, record.id, plan, key, { signal })
        await saveFiles(plan, key, signal)
        break
      } catch (error) {
        if (signal.aborted) throw error
        log.info('output is not here yet', { allocation: key, error: errorMessage(error) })
        const isGone = error instanceof RemoteError && error.kind === 'not-found'
        if (isGone || error instanceof BadOutputsError || clock.now() >= giveUpAt) {
          await giveUpFiles(plan, key, error)
          break
        }
        await clock.sleep(pause, { signal })
      }
    }
    if (currentPlan()?.allocations[key]?.handle?.id === plan.allocations[key]?.handle?.id)
      await handle({ type: 'output-saved', key })
  }

  function leaverOf(plan: Plan, key: string): BlueprintAllocation | undefined {
    const allocation = blueprint.allocations.get(plan.allocations[key]?.name ?? '')
    return allocation?.hasOutputs === true ? allocation : undefined
  }

  async function saveFiles(plan: Plan, key: string, until: AbortSignal): Promise<void> {
    const leaver = leaverOf(plan, key)
    if (leaver === undefined) return
    await fetchOutputs(orchestrator.outputsOf(plan, key, { signal: until }), output.directory(record.id, key), leaver.disk)
  }

  async function giveUpFiles(plan: Plan, key: string, error: unknown): Promise<void> {
    if (leaverOf(plan, key) !== undefined) await giveUpOutputs(output.directory(record.id, key), errorMessage(error))
  }

  async function revert(plan: Plan): Promise<void> {
    await mapConcurrently(Object.keys(plan.nodes), CONCURRENCY, (node) => revertOne(plan, node))
  }

  async function revertOne(plan: Plan, node: string): Promise<void> {
    const giveUpAt = millis(clock.now() + STOP_PATIENCE)
    for (;;) {
      try {
        await orchestrator.revert(plan, node, { signal: options.lifetime })
        return
      } catch (error) {
        if (options.lifetime.aborted) throw error
        log.info('a provider did not answer the revert', { node, error: errorMessage(error) })
        if (clock.now() >= giveUpAt) return
        await clock.sleep(seconds(2), { signal: options.lifetime })
      }
    }
  }

  async function stop(plan: Plan): Promise<void> {
    await mapConcurrently(Object.keys(plan.allocations), CONCURRENCY, (key) => stopOne(plan, key))
    await handle({ type: 'stopped' })
  }

  async function stopOne(plan: Plan, key: string): Promise<void> {
    const allocation = plan.allocations[key]
    if (allocation?.handle === undefined) {
      await revertOne(plan, allocation?.node ?? '')
      return
    }
    const giveUpAt = millis(clock.now() + STOP_PATIENCE)
    for (;;) {
      try {
        if (!allocation.hasOutput && allocation.status !== 'pending') {
          await saveOutput(orchestrator, output, record.id, plan, key, { signal: options.lifetime })
          if (hasEnded(allocation)) await saveFiles(plan, key, options.lifetime)
        }
        await orchestrator.shutdown(plan, key, { signal: options.lifetime })
        return
      } catch (error) {
        if (options.lifetime.aborted) throw error
        log.info('an allocation is not ended yet', { allocation: key, error: errorMessage(error) })
        const isGone = error instanceof RemoteError && error.kind === 'not-found'
        if (isGone || error instanceof BadOutputsError || clock.now() >= giveUpAt) return
        await clock.sleep(seconds(2), { signal: options.lifetime })
      }
    }
  }

  return {
    get record() {
      return record
    },
    handle
  }
}

/**
 * Whether a provider refuses the job for what it says, and not for what the provider has: the image does not exist, the volume is not
 * allowed, a script is missing.
 */
function isOfTheJob(error: unknown): boolean {
  if (!(error instanceof RemoteError)) return false
  if (error.code === 'ALLOCATION_START_REFUSED' || error.code === 'ALLOCATION_BAD_PREPARATION') return true
  const isOfPart = error.code.startsWith('EXECUTOR_') || error.code.startsWith('STORAGE_')
  return isOfPart && (error.kind === 'invalid' || error.kind === 'forbidden' || error.kind === 'not-found')
}

/** Texts of providers go into notes: a page of the journal has to fit a message. */
function clip(note: string): string {
  return note.length <= MAX_NOTE ? note : `${note.slice(0, MAX_NOTE)}…`
}

function peerOfKey(plan: Plan): (key: string) => string {
  return (key) => plan.nodes[plan.allocations[key]?.node ?? '']?.peer ?? ''
}
