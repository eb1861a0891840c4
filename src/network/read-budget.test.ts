import { beforeEach, describe, expect, test } from 'vitest'
import { bytes, mebibytes } from '../base/index.ts'
import { type Counters, createCounters } from './counters.ts'
import { createFrameAssembler, encodeFrame } from './frame.ts'
import { DEFAULT_LIMITS, MAX_FRAME } from './limits.ts'
import { createReadBudget, type ReadBudget } from './read-budget.ts'

let budget: ReadBudget

beforeEach(() => {
  budget = createReadBudget({ ...DEFAULT_LIMITS, readBytesPerPeer: bytes(100), readBytes: bytes(150) }, createCounters())
})

describe('the memory of unfinished frames', () => {
  test('is refused over the share of a peer, and over that of all', () => {
    budget.enter('a').reserve(60)
    const second = budget.enter('a')
    expect(() => second.reserve(41)).toThrow('hold 60 of 100 bytes')
    second.reserve(40)
    const other = budget.enter('b')
    expect(() => other.reserve(100)).toThrow('hold 100 of 150 bytes')
    other.reserve(50)
  })

  test('is free again once a frame is done, however it ended', () => {
    const first = budget.enter('a')
    first.reserve(100)
    const second = budget.enter('a')
    expect(() => second.reserve(1)).toThrow('of this peer')
    second.release()
    first.release()
    budget.enter('a').reserve(100)
    budget.enter('b').reserve(50)
  })

  test('is counted as it arrives, not as it is announced', () => {
    const { reserve } = budget.enter('a')
    const frame = encodeFrame(new Uint8Array(5000))
    const assembler = createFrameAssembler(MAX_FRAME, reserve)
    assembler.push(frame.subarray(0, 8))
    expect(() => assembler.push(frame.subarray(8, 9))).toThrow('of this peer')
  })

  test('is enough for eight of the largest frames of a peer by default', () => {
    expect(DEFAULT_LIMITS.readBytesPerPeer).toBe(8 * MAX_FRAME)
    expect(DEFAULT_LIMITS.readBytes).toBe(mebibytes(64))
  })
})

describe('a budget that is used up', () => {
  const limits = { ...DEFAULT_LIMITS, reads: 4, readsPerPeer: 3, readBytesPerPeer: bytes(100), readBytes: bytes(150) }
  let counters: Counters

  beforeEach(() => {
    counters = createCounters()
    budget = createReadBudget(limits, counters)
  })

  test('gives no place to a peer that would then hold as many as the one with most', () => {
    for (const peer of ['a', 'a', 'b', 'b']) budget.enter(peer)
    expect(() => budget.enter('a')).toThrow('4 frames are being read already')
    expect(() => budget.enter('b')).toThrow('4 frames are being read already')
  })

  test('gives a newcomer the oldest place of the peer that holds most', () => {
    const evicted: string[] = []
    const enter = (peer: string, name: string) => budget.enter(peer, () => evicted.push(name))
    const first = enter('a', 'a1')
    for (const name of ['a2', 'a3']) enter('a', name)
    enter('b', 'b1')
    enter('c', 'c1')
    expect(evicted).toEqual(['a1'])
    expect(counters.reading).toBe(4)
    expect(() => first.reserve(1)).toThrow('went to another peer')
    first.release()
    expect(counters.reading).toBe(4)
  })

  test('gives the memory of the largest frame to a peer that holds less', () => {
    const evicted: string[] = []
    const large = budget.enter('a', () => evicted.push('large'))
    large.reserve(80)
    const small = budget.enter('a', () => evicted.push('small'))
    small.reserve(20)
    budget.enter('b').reserve(60)
    expect(evicted).toEqual(['large'])
    small.reserve(70)
  })
})
