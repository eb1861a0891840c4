import { beforeEach, describe, expect, test } from 'vitest'
import { type Clock, millis } from '../base/index.ts'
import { createGate, type Gate } from './gate.ts'
import { DEFAULT_ACTOR_LIMITS } from './limits.ts'

let now = millis(1_800_000_000_000)
const clock: Clock = { now: () => now, sleep: () => Promise.resolve() }
const pass = (seconds: number): void => {
  now = millis(now + seconds * 1000)
}

const limits = {
  ...DEFAULT_ACTOR_LIMITS,
  peerFrames: { capacity: 3, perSecond: 1 },
  senderMessages: { capacity: 2, perSecond: 1 },
  callerMessages: { capacity: 2, perSecond: 1 },
  authorBroadcasts: { capacity: 2, perSecond: 1 },
  forwarderBroadcasts: { capacity: 4, perSecond: 1 }
}

let gate: Gate

beforeEach(() => {
  gate = createGate(clock, limits)
})

describe('a gate', () => {
  test('is shut for the frames of a peer that proves no right, until time has passed, and open for others', () => {
    expect([1, 2, 3, 4].map(() => gate.frame('rude'))).toEqual([undefined, undefined, undefined, 'peer-too-fast'])
    expect(gate.frame('polite')).toBeUndefined()
    pass(1)
    expect([gate.frame('rude'), gate.frame('rude')]).toEqual([undefined, 'peer-too-fast'])
  })

  test('does not count frames that were authorised against their peer and their key', () => {
    for (let message = 0; message < 100; message += 1) {
      expect(gate.frame('peer')).toBeUndefined()
      expect(gate.sender('key')).toBe(true)
      gate.authorized('peer', 'key')
    }
  })

  test('is shut for a key whose messages are well signed and prove nothing', () => {
    expect([gate.sender('key'), gate.sender('key'), gate.sender('key'), gate.sender('other')]).toEqual([true, true, false, true])
    pass(1)
    expect(gate.sender('key')).toBe(true)
  })

  test('is shut for a DID that asks more than one may, authorised or not', () => {
    expect([1, 2, 3].map(() => gate.caller('did:a'))).toEqual([true, true, false])
    expect(gate.caller('did:b')).toBe(true)
  })

  test('is shut for broadcasts by who wrote them and by who passed them on', () => {
    const from = (author: string, forwarder: string) => gate.broadcast({ author, forwarder })
    expect([from('a', 'x'), from('a', 'y'), from('a', 'z')]).toEqual([undefined, undefined, 'author-too-fast'])
    expect([from('b', 'x'), from('c', 'x'), from('d', 'x'), from('e', 'x')]).toEqual([
      undefined,
      undefined,
      undefined,
      'forwarder-too-fast'
    ])
  })

  test('lets a key be told once in a second that it asks too much', () => {
    expect([gate.mayReportOverload('key'), gate.mayReportOverload('key'), gate.mayReportOverload('other')]).toEqual([
      true,
      false,
      true
    ])
    pass(1)
    expect(gate.mayReportOverload('key')).toBe(true)
  })
})
