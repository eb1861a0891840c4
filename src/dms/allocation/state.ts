import { constants } from 'node:os'
import { type ErrorKind, hours, type Millis, millis, minutes, unreachable } from '../../base/index.ts'
import type { ExitStatus, RunHandle } from '../../executor/index.ts'

/** How an allocation ended (C §8.1). */
export type EndStatus = 'completed' | 'failed' | 'terminated'

/** Where an allocation stands. Durable: every change is written before its effects run. */
export type AllocationState =
  | { readonly phase: 'pending' }
  | { readonly phase: 'starting' }
  | { readonly phase: 'running'; readonly run: RunHandle; readonly startedAt: Millis }
  | { readonly phase: 'stopping'; readonly run?: RunHandle; readonly startedAt?: Millis; readonly isDiscarded?: boolean }
  | {
      readonly phase: 'ended'
      readonly status: EndStatus
      readonly error: string
      /** What kind of error kept it from starting. */
      readonly errorKind?: ErrorKind
      readonly exitCode?: number
      readonly killed: boolean
      readonly startedAt?: Millis
      readonly endedAt: Millis
      readonly run?: RunHandle
      /** Whether the orchestrator knows. */
      readonly isReported: boolean
    }
  | { readonly phase: 'gone' }

/** What happens to an allocation. */
export type AllocationEvent =
  | { readonly type: 'start' | 'stop' | 'discard' | 'restarted' | 'reported' | 'abandoned' }
  | { readonly type: 'started'; readonly run: RunHandle }
  | { readonly type: 'failed'; readonly error: string; readonly kind?: ErrorKind }
  | { readonly type: 'exited'; readonly exit: ExitStatus }
  | { readonly type: 'stopped' }

/**
 * What to do about it; each is idempotent, so doing it twice after a crash is harmless.
 *
 * `run` starts the workload, `watch` follows output and end, `halt` ends it, `free` gives resources back and removes the
 * workload, `report` tells the orchestrator, `erase` deletes record and files.
 */
export type AllocationEffect = 'run' | 'watch' | 'halt' | 'free' | 'report' | 'erase'

/** The next state and what to do. */
export interface AllocationStep {
  readonly next: AllocationState
  readonly effects: readonly AllocationEffect[]
}

/** How long output and record of an ended allocation are kept for its orchestrator (C §8.16). */
export const RETENTION = hours(4)

/** The same while its orchestrator does not know yet: it may be away for a night. */
export const UNREPORTED_RETENTION = hours(24)

/** How long an allocation may wait for its start. */
export const START_PATIENCE = minutes(15)

/** The life of an allocation as a pure function (C §9.5). Events that do not fit the state change nothing. */
export function advance(state: AllocationState, event: AllocationEvent, now: Millis): AllocationStep {
  switch (state.phase) {
    case 'pending':
      return fromPending(state, event, now)
    case 'starting':
      return fromStarting(state, event, now)
    case 'running':
      return fromRunning(state, event, now)
    case 'stopping':
      return fromStopping(state, event, now)
    case 'ended':
      return fromEnded(state, event)
    case 'gone':
      return { next: state, effects: event.type === 'restarted' ? ['erase'] : [] }
    default:
      return unreachable(state)
  }
}

type Of<Phase> = Extract<AllocationState, { phase: Phase }>

function stay(next: AllocationState, ...effects: AllocationEffect[]): AllocationStep {
  return { next, effects }
}

function fromPending(state: Of<'pending'>, event: AllocationEvent, now: Millis): AllocationStep {
  if (event.type === 'start') return stay({ phase: 'starting' }, 'run')
  if (event.type === 'discard') return stay({ phase: 'gone' }, 'erase')
  if (event.type === 'stop' || event.type === 'abandoned') {
    const error = event.type === 'abandoned' ? 'the orchestrator never started it' : ''
    return stay({ phase: 'ended', status: 'terminated', error, killed: false, endedAt: now, isReported: true }, 'free')
  }
  return stay(state)
}

function fromStarting(state: Of<'starting'>, event: AllocationEvent, now: Millis): AllocationStep {
  switch (event.type) {
    case 'started':
      return stay({ phase: 'running', run: event.run, startedAt: now }, 'watch')
    case 'failed': {
      const kind = event.kind === undefined ? {} : { errorKind: event.kind }
      // No report: whoever asked for the start gets the refusal as the answer.
      return stay(
        { phase: 'ended', status: 'failed', error: event.error, ...kind, killed: false, endedAt: now, isReported: true },
        'free'
      )
    }
    case 'stop':
    case 'discard':
      return stay({ phase: 'stopping', isDiscarded: event.type === 'discard' }, 'halt')
    case 'restarted':
      return stay(state, 'run')
    default:
      return stay(state)
  }
}

function fromRunning(state: Of<'running'>, event: AllocationEvent, now: Millis): AllocationStep {
  switch (event.type) {
    case 'exited':
      return stay(
        { ...ending(event.exit), phase: 'ended', startedAt: state.startedAt, endedAt: now, run: state.run, isReported: false },
        'free',
        'report'
      )
    case 'stop':
    case 'discard':
      return stay(
        { phase: 'stopping', run: state.run, startedAt: state.startedAt, isDiscarded: event.type === 'discard' },
        'halt'
      )
    case 'restarted':
      return stay(state, 'watch')
    default:
      return stay(state)
  }
}

function fromStopping(state: Of<'stopping'>, event: AllocationEvent, now: Millis): AllocationStep {
  switch (event.type) {
    case 'stopped': {
      if (state.isDiscarded === true) return stay({ phase: 'gone' }, 'erase')
      const { run, startedAt } = state
      const times = { ...(startedAt === undefined ? {} : { startedAt }), ...(run === undefined ? {} : { run }) }
      return stay(
        { phase: 'ended', status: 'terminated', error: '', killed: true, endedAt: now, isReported: true, ...times },
        'free'
      )
    }
    case 'started':
      return stay({ ...state, run: event.run }, 'halt')
    case 'restarted':
      return stay(state, 'halt')
    default:
      return stay(state)
  }
}

function fromEnded(state: Of<'ended'>, event: AllocationEvent): AllocationStep {
  switch (event.type) {
    case 'reported':
      return stay({ ...state, isReported: true })
    case 'discard':
      return stay({ phase: 'gone' }, 'erase')
    case 'restarted':
      return state.isReported ? stay(state, 'free') : stay(state, 'free', 'report')
    default:
      return stay(state)
  }
}

function ending(exit: ExitStatus): Pick<Of<'ended'>, 'status' | 'error' | 'killed' | 'exitCode'> {
  switch (exit.type) {
    case 'exited':
      return exit.code === 0
        ? { status: 'completed', error: '', killed: false, exitCode: 0 }
        : { status: 'failed', error: `exited with code ${exit.code}`, killed: false, exitCode: exit.code }
    case 'killed': {
      const error = exit.outOfMemory
        ? 'killed: it used more memory than its limit'
        : `killed${exit.reason === undefined ? ` by ${exit.signal}` : `: ${exit.reason}`}`
      return { status: 'failed', error, killed: true, exitCode: 128 + signalNumber(exit.signal) }
    }
    case 'lost':
      return { status: 'failed', error: `lost: ${exit.reason}`, killed: false }
    default:
      return unreachable(exit)
  }
}

function signalNumber(name: string): number {
  return Object.entries(constants.signals).find(([known]) => known === name)?.[1] ?? constants.signals.SIGKILL
}

/** The status word of the wire (C §8.1). */
export function statusText(state: AllocationState): string {
  switch (state.phase) {
    case 'pending':
    case 'starting':
      return 'pending'
    case 'running':
      return 'running'
    case 'stopping':
      return 'stopped'
    case 'ended':
      return state.status
    case 'gone':
      return 'terminated'
    default:
      return unreachable(state)
  }
}

/** When an ended allocation may be erased; undefined while it lives. */
export function eraseTime(state: AllocationState): Millis | undefined {
  return state.phase === 'ended' ? millis(state.endedAt + (state.isReported ? RETENTION : UNREPORTED_RETENTION)) : undefined
}
