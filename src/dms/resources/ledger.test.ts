import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { bytes, type Codec, gibibytes, type JsonValue, millis, minutes, ok } from '../../base/index.ts'
import { createMemoryStore } from '../../db/index.ts'
import { createVirtualClock } from '../../testing/index.ts'
import { type Amount, add, NOTHING, shortages, subtract, total } from './amounts.ts'
import { createResourceLedger, type ResourceLedger } from './ledger.ts'

const amount = (cpuCores: number, memory = 1, disk = 1): Amount => ({
  cpuCores,
  memory: gibibytes(memory),
  disk: gibibytes(disk),
  gpus: []
})

describe('the resource ledger', () => {
  const clock = createVirtualClock()
  let store = createMemoryStore()
  let ledger: ResourceLedger

  async function open(): Promise<ResourceLedger> {
    const opened = createResourceLedger({ store, clock })
    await opened.start()
    return opened
  }

  beforeEach(async () => {
    store = createMemoryStore()
    await store.start()
    ledger = await open()
    await ledger.setOffer(amount(4, 8, 100))
  })

  const later = () => millis(clock.now() + minutes(5))

  test('refuses a commitment that does not fit and says what is missing', async () => {
    await expect(ledger.commit('a', { amount: amount(5), owner: 'did:x', expiresAt: later() })).rejects.toThrow(
      '5 CPU cores wanted, 4 free'
    )
    expect(ledger.commitments().size).toBe(0)
  })

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])(
    'an amount of %f cores makes no resources out of nothing',
    async (cpuCores) => {
      const impossible = { ...amount(1), cpuCores }
      await expect(ledger.commit('a', { amount: impossible, owner: 'did:x', expiresAt: later() })).rejects.toMatchObject({
        code: 'RESOURCES_EXHAUSTED'
      })
      expect(ledger.hold('x', impossible, later())).toBe(false)
      expect(ledger.free()).toEqual(amount(4, 8, 100))
    }
  )

  test('accepts an exact fit, and then nothing more', async () => {
    await ledger.commit('a', { amount: amount(4, 8, 100), owner: 'did:x', expiresAt: later() })
    expect(ledger.free()).toEqual(NOTHING)
    await expect(ledger.commit('b', { amount: amount(0.01, 0, 0), owner: 'did:x', expiresAt: later() })).rejects.toMatchObject({
      code: 'RESOURCES_EXHAUSTED'
    })
  })

  test('a commitment lapses, an allocation does not', async () => {
    await ledger.commit('a', { amount: amount(1), owner: 'did:x', expiresAt: later() })
    await ledger.commit('b', { amount: amount(1), owner: 'did:x', expiresAt: later() })
    await ledger.allocate('b', 'did:x')
    await clock.run(clock.sleep(minutes(6)))
    expect([...ledger.commitments().keys()]).toEqual(['b'])
    expect(ledger.free().cpuCores).toBe(3)
    await expect(ledger.allocate('a', 'did:x')).rejects.toMatchObject({ code: 'RESOURCES_NOT_COMMITTED' })
  })

  test('nobody allocates what was promised to somebody else', async () => {
    await ledger.commit('a', { amount: amount(1), owner: 'did:x', expiresAt: later() })
    await expect(ledger.allocate('a', 'did:y')).rejects.toMatchObject({ code: 'RESOURCES_NOT_COMMITTED' })
    await expect(ledger.commit('a', { amount: amount(1), owner: 'did:y', expiresAt: later() })).rejects.toMatchObject({
      kind: 'conflict'
    })
  })

  test('the offer never falls below what is promised', async () => {
    await ledger.commit('a', { amount: amount(3), owner: 'did:x', expiresAt: later() })
    await expect(ledger.setOffer(amount(2, 8, 100))).rejects.toMatchObject({ code: 'RESOURCES_OFFER_TOO_SMALL' })
    await expect(ledger.setOffer(undefined)).rejects.toMatchObject({ code: 'RESOURCES_OFFER_TOO_SMALL' })
    expect(ledger.offer()?.cpuCores).toBe(4)
  })

  test('a hold keeps resources from other bids for its time only, and is no promise', async () => {
    expect(ledger.hold('x', amount(3), later())).toBe(true)
    expect(ledger.hold('y', amount(2), later())).toBe(false)
    expect(ledger.hold('x', amount(4), later())).toBe(true)
    await clock.run(clock.sleep(minutes(6)))
    expect(ledger.free().cpuCores).toBe(4)
  })

  test('everything but holds survives a restart', async () => {
    await ledger.commit('a', { amount: amount(1), owner: 'did:x', expiresAt: later() })
    await ledger.allocate('a', 'did:x')
    ledger.hold('x', amount(1), later())
    const reopened = await open()
    expect(reopened.offer()).toEqual(amount(4, 8, 100))
    expect(reopened.allocated()).toEqual(amount(1))
    expect(reopened.free().cpuCores).toBe(3)
  })

  test('what is free and what is promised always add up to the offer, after any operations', async () => {
    const operation = fc.record({
      kind: fc.constantFrom('commit', 'allocate', 'release', 'reopen', 'wait'),
      id: fc.constantFrom('a', 'b', 'c', 'd'),
      cores: fc.integer({ min: 1, max: 300 }).map((hundredths) => hundredths / 100)
    })
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
        store = createMemoryStore()
        await store.start()
        ledger = await open()
        await ledger.setOffer(amount(4, 8, 100))
        for (const { kind, id, cores } of operations) {
          const attempt = {
            commit: () => ledger.commit(id, { amount: amount(cores), owner: 'did:x', expiresAt: later() }),
            allocate: () => ledger.allocate(id, 'did:x'),
            release: () => ledger.release(id),
            reopen: async () => {
              ledger = await open()
            },
            wait: () => clock.run(clock.sleep(minutes(2)))
          }[kind]
          await attempt().catch(() => undefined) // refusals are part of the game
          const promised = total([...ledger.commitments().values()].map((each) => each.amount))
          expect(add(ledger.free(), promised)).toEqual(amount(4, 8, 100))
        }
      }),
      { numRuns: 30 }
    )
  })
})

describe('amounts', () => {
  test('subtracting never goes below zero and adding does not drift', () => {
    expect(subtract(amount(1), amount(2, 2, 2))).toEqual(NOTHING)
    expect(total(Array.from({ length: 10 }, () => amount(0.1, 0, 0))).cpuCores).toBe(1)
  })

  test('shortages name every component', () => {
    expect(shortages({ cpuCores: 1, memory: bytes(2 ** 20), disk: bytes(0), gpus: [] }, amount(2))).toEqual([
      '2 CPU cores wanted, 1 free',
      '1 GiB RAM wanted, 1 MiB free',
      '1 GiB disk wanted, 0 B free'
    ])
  })
})

describe('graphics cards in the ledger', () => {
  const card = (device: string, vram: number) => ({ device, vram: gibibytes(vram) })
  const withCards = (...gpus: Amount['gpus']): Amount => ({ ...amount(1), gpus })

  test('records of versions without graphics cards are still read', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStore()
    await store.start()
    const old = { cpuCores: 4, memory: 2 ** 30, disk: 2 ** 30 }
    const plain: Codec<JsonValue> = { decode: (wire) => ok(wire as JsonValue), encode: (value) => value }
    const promise = { amount: { ...old, cpuCores: 1 }, owner: 'did:x', state: 'allocated', expiresAt: 0 }
    await store.transaction([
      store.collection('offer', plain).put('current', old),
      store.collection('commitments', plain).put('a', promise)
    ])
    const ledger = createResourceLedger({ store, clock })
    await ledger.start()
    expect(ledger.offer()?.gpus).toEqual([])
    expect(ledger.free()).toMatchObject({ cpuCores: 3, gpus: [] })
  })

  test('a card that is not lent, and more memory of one than is free, are missing', () => {
    const have = withCards(card('x', 4))
    expect(shortages(have, withCards(card('y', 1)))).toEqual(['1 GiB of graphics card y wanted, 0 B free'])
    expect(shortages(have, withCards(card('x', 3), card('x', 2)))).toEqual(['5 GiB of graphics card x wanted, 4 GiB free'])
    expect(shortages(have, withCards(card('x', 4)))).toEqual([])
  })

  test('a card of which nothing is left stays in the list', () => {
    expect(subtract(withCards(card('x', 4), card('y', 2)), withCards(card('x', 4))).gpus).toEqual([card('x', 0), card('y', 2)])
  })
})
