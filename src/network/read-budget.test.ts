import { beforeEach, describe, expect, test } from 'vitest'
import { bytes, mebibytes } from '../base/index.ts'
import { createCounters } from './counters.ts'
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
    expect(() => other.reserve(51)).toThrow('hold 100 of 150 bytes')
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
