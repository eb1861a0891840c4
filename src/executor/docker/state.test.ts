import { describe, expect, test } from 'vitest'
import { bytes } from '../../base/index.ts'
import { exitStatusOf, parseContainerList, parseContainerState, parseUsage, usageBetween } from './state.ts'

function ended(exitCode: number, outOfMemory = false) {
  return { id: 'x', status: 'ended', exitCode, outOfMemory, node: 'n', allocation: 'a' } as const
}

describe('the state of a container', () => {
  test.each([undefined, null, 'text', [], {}, { State: { Status: 'exited' } }])('is not read from %j', (body) => {
    expect(parseContainerState(body)).toBeUndefined()
  })

  test.each([
    ['created', 'created'],
    ['running', 'active'],
    ['restarting', 'active'],
    ['paused', 'active'],
    ['removing', 'active'],
    ['exited', 'ended'],
    ['dead', 'ended']
  ])('%s is %s', (status, expected) => {
    const body = {
      Id: 'abc',
      State: { Status: status, ExitCode: 2, OOMKilled: false },
      Config: { Labels: { 'nunet.node': 'n' } }
    }
    expect(parseContainerState(body)).toEqual({
      id: 'abc',
      status: expected,
      exitCode: 2,
      outOfMemory: false,
      node: 'n',
      allocation: ''
    })
  })
})

test('a list leaves out what is no container of an allocation', () => {
  const body = [null, { Id: 'a' }, { Labels: { 'nunet.allocation': 'b' } }, { Id: 'c', Labels: { 'nunet.allocation': 'd' } }]
  expect(parseContainerList(body)).toEqual([{ id: 'c', allocation: 'd' }])
  expect(parseContainerList({})).toEqual([])
})

describe('the end of a container', () => {
  test('is a kill when memory ran out or a signal ended the program', () => {
    expect(exitStatusOf(ended(137, true))).toEqual({ type: 'killed', signal: 'SIGKILL', outOfMemory: true })
    expect(exitStatusOf(ended(137))).toEqual({ type: 'killed', signal: 'SIGKILL', outOfMemory: false })
    expect(exitStatusOf(ended(143))).toEqual({ type: 'killed', signal: 'SIGTERM', outOfMemory: false })
  })

  test.each([0, 1, 3, 126, 127, 128, 255])('is an exit with code %i otherwise', (code) => {
    expect(exitStatusOf(ended(code))).toEqual({ type: 'exited', code })
  })
})

describe('the use of a container', () => {
  const cpu_stats = { cpu_usage: { total_usage: 1500 } }
  const read = '2026-01-01T00:00:00.250000000Z'

  test('is unknown for one that does not run', () => {
    expect(parseUsage({ memory_stats: {}, cpu_stats })).toBeUndefined()
    expect(parseUsage(undefined)).toBeUndefined()
  })

  test('is without the cache, for both kinds of cgroup', () => {
    const v1 = { memory_stats: { usage: 5000, stats: { total_inactive_file: 1000, inactive_file: 1 } }, cpu_stats, read }
    expect(parseUsage(v1)).toEqual({ memory: 4000, cpuNanos: 1500, at: Date.parse(read) * 1e6 })
    expect(parseUsage({ memory_stats: { usage: 5000, stats: { inactive_file: 2000 } } })).toMatchObject({ memory: 3000 })
  })

  test('has its share of the CPU in percent of a core between two moments', () => {
    const first = { cpuNanos: 1e9, memory: bytes(1), at: 1e9 }
    expect(usageBetween(first, { cpuNanos: 1.1e9, memory: bytes(2), at: 1.2e9 })).toEqual({
      memory: 2,
      cpuPercent: expect.closeTo(50) as unknown
    })
    expect(usageBetween(first, { cpuNanos: 1.1e9, memory: bytes(2), at: Number.NaN })).toEqual({ memory: 2 })
  })
})
