import { beforeEach, describe, expect, test } from 'vitest'
import { encodeGoJson, type JsonValue, minutes, systemRandom, utf8 } from '../base/index.ts'
import { createVirtualClock, type VirtualClock } from '../testing/index.ts'
import { chunkedMember, chunkedOf, collectChunks, createHeldReplies, type HeldReplies } from './chunks.ts'

const BEHAVIOR = '/test/large'
const reply = { text: 'é'.repeat(700_000), big: 18_446_744_073_709_551_615n }

let clock: VirtualClock
let held: HeldReplies

beforeEach(() => {
  clock = createVirtualClock()
  held = createHeldReplies(clock, systemRandom, new AbortController().signal)
})

const hold = (caller = 'a', value: unknown = reply) => held.hold(caller, BEHAVIOR, utf8(encodeGoJson(value)))

function holdSurely(caller = 'a', value: unknown = reply) {
  const chunked = hold(caller, value)
  if (chunked === undefined) throw new Error('not held')
  return chunked
}

describe('a reply that is held', () => {
  test('is read by nobody but its caller, and only as the reply that it is', () => {
    const { id } = holdSurely()
    expect(() => held.read('b', BEHAVIOR, { id })).toThrow('there is no such reply')
    expect(() => held.read('a', '/test/other', { id })).toThrow('there is no such reply')
    expect(() => held.read('a', BEHAVIOR, { id: 'ab' })).toThrow('there is no such reply')
    for (const request of [null, {}, { id, offset: -1 }, { id, offset: 1.5 }, { id, offset: 'x' }]) {
      expect(() => held.read('a', BEHAVIOR, request)).toThrow('bad request for /test/large/reply/chunk')
    }
  })

  test('is put together from its pieces, byte for byte', async () => {
    const chunked = holdSurely()
    const named = chunkedOf({ error: 'too large', chunks: chunkedMember(chunked) })
    expect(named).toEqual(chunked)
    let pieces = 0
    const whole = await collectChunks(chunked, async (request) => {
      pieces += 1
      return held.read('a', BEHAVIOR, request)
    })
    expect(whole).toEqual(reply)
    expect(pieces).toBe(3)
  })

  test('is gone a minute after it was read last', async () => {
    const { id } = holdSurely()
    await clock.run(clock.sleep(minutes(0.9)))
    expect(held.read('a', BEHAVIOR, { id })).toMatchObject({ offset: 0, eof: false })
    await clock.run(clock.sleep(minutes(0.9)))
    expect(held.read('a', BEHAVIOR, { id, offset: 1_400_000 })).toMatchObject({ eof: true })
    await clock.run(clock.sleep(minutes(1.1)))
    expect(() => held.read('a', BEHAVIOR, { id })).toThrow('ask again')
  })

  test('makes room for newer ones of its caller, not of others', () => {
    const [first, second] = [holdSurely(), holdSurely()]
    const other = holdSurely('b')
    holdSurely()
    expect(() => held.read('a', BEHAVIOR, { id: first.id })).toThrow('there is no such reply')
    expect(held.read('a', BEHAVIOR, { id: second.id })).toMatchObject({ offset: 0 })
    expect(held.read('b', BEHAVIOR, { id: other.id })).toMatchObject({ offset: 0 })
  })

  test('is bounded in size, alone and with all others', () => {
    const large = 'x'.repeat(15_000_000)
    expect(hold('a', 'x'.repeat(17_000_000))).toBeUndefined()
    expect(['a', 'b', 'c', 'd', 'e'].map((caller) => hold(caller, large) !== undefined)).toEqual([true, true, true, true, false])
  })
})

describe('pieces that somebody else makes up', () => {
  test.each<readonly [string, JsonValue]>([
    ['empty', { data: '' }],
    ['missing', null],
    ['not base64', { data: '*' }],
    ['more than was announced', { data: 'QUJDREVGR0g=' }]
  ])('are refused when they are %s', async (_what, piece) => {
    await expect(collectChunks({ id: 'x', size: 5 }, async () => piece)).rejects.toThrow('is missing or wrong')
  })

  test('are not asked for when there would be too many', async () => {
    const endless = collectChunks({ id: 'x', size: 2 ** 40 }, () => Promise.reject(new Error('asked')))
    await expect(endless).rejects.toThrow('at most 16777216 are read')
  })
})
