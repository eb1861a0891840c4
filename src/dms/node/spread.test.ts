import { beforeEach, describe, expect, test } from 'vitest'
import { type Handler, SILENCE, type VerifiedEnvelope } from '../../actor/index.ts'
import { millis, type Random, seconds } from '../../base/index.ts'
import { createCounters } from '../../telemetry/index.ts'
import { createVirtualClock, type VirtualClock } from '../../testing/index.ts'
import { BIDDING, CHATTER, createSpread, type SpreadRule } from './spread.ts'

let clock: VirtualClock
let seed: number
/** Repeats on every run. */
const random: Random = {
  bytes: (length) =>
    Uint8Array.from({ length }, () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return (seed / 65_536) % 256
    })
}

beforeEach(() => {
  clock = createVirtualClock()
  seed = 1
})

const peersOf = (count: number) => {
  const known = Array.from({ length: count }, (_, index) => `peer ${index}`)
  return { peers: () => known.slice(0, 100), knownPeers: () => Promise.resolve(known) }
}

function question({ did = 'did:asker', life = 30, isBroadcast = true } = {}): VerifiedEnvelope {
  return { from: { did }, expiresAt: millis(clock.now() + seconds(life)), isBroadcast } as VerifiedEnvelope
}

/** After how many milliseconds each of so many nodes answers one question; those that stay silent are missing. */
async function answersOf(nodes: number, rule: SpreadRule, life = 30): Promise<readonly number[]> {
  const begin = clock.now()
  const answers = Array.from({ length: nodes }, async () => {
    const spread = createSpread({ rule, peers: peersOf(nodes), clock, random, counters: createCounters() })
    const answer: Handler<null, number> = spread.over(async () => clock.now() - begin)
    return answer(null, question({ life }), { signal: new AbortController().signal })
  })
  const all = await clock.run(Promise.all(answers))
  return all.flatMap((after) => (after === SILENCE ? [] : [after]))
}

/** The most answers within a tenth of a second. */
function busiest(answers: readonly number[]): number {
  return Math.max(...answers.map((at) => answers.filter((other) => other >= at && other < at + 100).length))
}

describe('answers to a broadcast', () => {
  test('come within a tenth of a second in a small network, and all of them', async () => {
    const answers = await answersOf(10, CHATTER)
    expect(answers).toHaveLength(10)
    expect(Math.max(...answers)).toBeLessThanOrEqual(100)
  })

  test('are spread over seconds in a large one', async () => {
    const answers = await answersOf(400, CHATTER)
    expect(answers).toHaveLength(400)
    expect(busiest(answers)).toBeLessThan(40)
    expect(Math.max(...answers)).toBeLessThanOrEqual(4000)
  })

  test('come from some nodes only in a very large one', async () => {
    const answers = await answersOf(2000, CHATTER)
    expect(answers.length).toBeGreaterThan(400)
    expect(answers.length).toBeLessThan(600)
    expect(busiest(answers)).toBeLessThan(50)
  })

  test('come in the first half of its life', async () => {
    const answers = await answersOf(500, CHATTER, 2)
    expect(Math.max(...answers)).toBeLessThanOrEqual(1000)
  })

  test('that are bids come within a second, and in a small network at once', async () => {
    expect(Math.max(...(await answersOf(10, BIDDING, 5)))).toBeLessThanOrEqual(20)
    const many = await answersOf(1000, BIDDING, 5)
    expect(many).toHaveLength(1000)
    expect(Math.max(...many)).toBeLessThanOrEqual(1000)
    expect(busiest(many)).toBeLessThan(200)
  })
})

describe('a node', () => {
  function createAnswer(nodes: number) {
    const counters = createCounters()
    const spread = createSpread({ rule: CHATTER, peers: peersOf(nodes), clock, random, counters })
    const answer = spread.over<null, string>(async () => 'hello')
    const ask = (envelope: VerifiedEnvelope) => clock.run(answer(null, envelope, { signal: new AbortController().signal }))
    return { ask, counters }
  }

  test('answers who asks too often no more for a while, and others still', async () => {
    const { ask, counters } = createAnswer(0)
    const answers: unknown[] = []
    for (let round = 0; round < 30; round += 1) answers.push(await ask(question()))
    expect(answers.filter((answer) => answer === SILENCE)).toHaveLength(10)
    expect(counters.snapshot()['broadcasts.not-answered.too-often']).toBe(10)
    expect(await ask(question({ did: 'did:other' }))).toBe('hello')
    await clock.run(clock.sleep(seconds(2)))
    expect(await ask(question())).toBe('hello')
  })

  test('answers a message to it alone at once', async () => {
    const { ask } = createAnswer(500)
    const before = clock.now()
    expect(await ask(question({ isBroadcast: false }))).toBe('hello')
    expect(clock.now()).toBe(before)
  })
})
