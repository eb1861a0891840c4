import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { millis } from '../../base/index.ts'
import type { RunHandle } from '../../executor/index.ts'
import { type AllocationEvent, type AllocationState, advance, eraseTime, statusText } from './state.ts'

const now = millis(1000)
const run = 'run' as RunHandle
const running: AllocationState = { phase: 'running', run, startedAt: millis(1) }
const ended: AllocationState = { phase: 'ended', status: 'completed', error: '', killed: false, endedAt: now, isReported: false }

/** Plays events from the beginning and returns the last state with all effects. */
function play(state: AllocationState, ...events: AllocationEvent[]) {
  return events.reduce(
    ({ state: current, effects }, event) => {
      const step = advance(current, event, now)
      return { state: step.next, effects: [...effects, ...step.effects] }
    },
    { state, effects: [] as string[] }
  )
}

describe('the life of an allocation', () => {
  test('nothing but a start makes it run', () => {
    for (const type of ['restarted', 'reported', 'stopped'] as const) {
      expect(advance({ phase: 'pending' }, { type }, now)).toEqual({ next: { phase: 'pending' }, effects: [] })
    }
  })

  test('a task runs, ends, gives back, reports and is erased', () => {
    const { state, effects } = play(
      { phase: 'pending' },
      { type: 'start' },
      { type: 'started', run },
      { type: 'exited', exit: { type: 'exited', code: 0 } },
      { type: 'reported' },
      { type: 'discard' }
    )
    expect(state).toEqual({ phase: 'gone' })
    expect(effects).toEqual(['run', 'watch', 'free', 'report', 'erase'])
  })

  test.each([
    [{ type: 'exited', code: 3 } as const, 'failed', 'exited with code 3', 3],
    [
      { type: 'killed', signal: 'SIGKILL', outOfMemory: true } as const,
      'failed',
      'killed: it used more memory than its limit',
      137
    ],
    [{ type: 'killed', signal: 'SIGTERM', outOfMemory: false } as const, 'failed', 'killed by SIGTERM', 143],
    [{ type: 'lost', reason: 'gone' } as const, 'failed', 'lost: gone', undefined],
    [{ type: 'exited', code: 0 } as const, 'completed', '', 0]
  ])('the end %o is told as %s %s', (exit, status, error, exitCode) => {
    const { next } = advance(running, { type: 'exited', exit }, now)
    expect(next).toMatchObject({ phase: 'ended', status, error, isReported: false })
    expect(next.phase === 'ended' ? next.exitCode : -1).toBe(exitCode)
  })

  test('a second start while it starts or runs does nothing', () => {
    expect(advance({ phase: 'starting' }, { type: 'start' }, now).effects).toEqual([])
    expect(advance(running, { type: 'start' }, now).effects).toEqual([])
  })

  test('a failed start is not reported: whoever asked gets the refusal', () => {
    const { next, effects } = advance({ phase: 'starting' }, { type: 'failed', error: 'no image' }, now)
    expect(effects).toEqual(['free'])
    expect(next).toMatchObject({ status: 'failed', error: 'no image', isReported: true })
  })

  test('a discarded allocation is gone as soon as it has stopped, so that its id is free again', () => {
    const { state, effects } = play(running, { type: 'discard' }, { type: 'stopped' })
    expect(state).toEqual({ phase: 'gone' })
    expect(effects).toEqual(['halt', 'erase'])
    expect(advance({ phase: 'pending' }, { type: 'discard' }, now)).toEqual({ next: { phase: 'gone' }, effects: ['erase'] })
  })

  test('an end that its orchestrator does not know yet is kept for a day, any other for four hours', () => {
    expect(eraseTime(ended)).toBe(now + 24 * 3_600_000)
    expect(eraseTime({ ...ended, isReported: true })).toBe(now + 4 * 3_600_000)
    expect(eraseTime(running)).toBeUndefined()
  })

  test('an allocation that is never started is given up', () => {
    expect(advance({ phase: 'pending' }, { type: 'abandoned' }, now).effects).toEqual(['free'])
    expect(advance(running, { type: 'abandoned' }, now).effects).toEqual([])
  })

  test('a stop that meets the start half-way still halts the workload', () => {
    const { state, effects } = play({ phase: 'pending' }, { type: 'start' }, { type: 'stop' }, { type: 'started', run })
    expect(state).toMatchObject({ phase: 'stopping', run })
    expect(effects).toEqual(['run', 'halt', 'halt'])
  })

  test.each<readonly [AllocationState, readonly string[]]>([
    [{ phase: 'pending' }, []],
    [{ phase: 'starting' }, ['run']],
    [running, ['watch']],
    [{ phase: 'stopping', run }, ['halt']],
    [ended, ['free', 'report']],
    [{ ...ended, isReported: true }, ['free']],
    [{ phase: 'gone' }, ['erase']]
  ])('after a restart of the daemon, %o goes on with %o', (state, effects) => {
    const step = advance(state, { type: 'restarted' }, now)
    expect(step).toEqual({ next: state, effects })
    expect(advance(step.next, { type: 'restarted' }, now)).toEqual(step)
  })

  test('no sequence of events brings an ended allocation back to life', () => {
    const events = fc.array(
      fc.constantFrom<AllocationEvent>(
        { type: 'start' },
        { type: 'stop' },
        { type: 'discard' },
        { type: 'restarted' },
        { type: 'reported' },
        { type: 'abandoned' },
        { type: 'stopped' },
        { type: 'started', run },
        { type: 'failed', error: 'x' },
        { type: 'exited', exit: { type: 'exited', code: 0 } }
      ),
      { maxLength: 20 }
    )
    fc.assert(
      fc.property(events, (sequence) => {
        let state: AllocationState = { phase: 'pending' }
        let wasEnded = false
        for (const event of sequence) {
          state = advance(state, event, now).next
          if (wasEnded) expect(['ended', 'gone']).toContain(state.phase)
          wasEnded ||= state.phase === 'ended' || state.phase === 'gone'
          expect(statusText(state)).toMatch(/^(pending|running|stopped|completed|failed|terminated)$/)
        }
      })
    )
  })
})
