import { beforeEach, describe, expect, test } from 'vitest'
import { gibibytes, minutes } from '../../base/index.ts'
import { createMemoryStore } from '../../db/index.ts'
import { createVirtualClock } from '../../testing/index.ts'
import { createResourceLedger, type ResourceLedger } from '../resources/index.ts'
import type { BidItem } from './answer.ts'
import { type Bids, createBids } from './bids.ts'

const amount = (cpuCores: number) => ({ cpuCores, memory: gibibytes(1), disk: gibibytes(1), gpus: [] })

function item(nodeId: string, cpuCores = 1): BidItem {
  const place = { accept: [], reject: [] }
  return {
    nodeId,
    executors: [],
    amount: amount(cpuCores),
    architecture: '',
    place,
    privileged: false,
    gpus: [],
    ports: 0,
    contracts: false
  }
}

describe('bids', () => {
  const clock = createVirtualClock()
  let ledger: ResourceLedger
  let bids: Bids

  beforeEach(async () => {
    const store = createMemoryStore()
    await store.start()
    ledger = createResourceLedger({ store, clock })
    await ledger.start()
    await ledger.setOffer({ cpuCores: 4, memory: gibibytes(8), disk: gibibytes(8), gpus: [] })
    bids = createBids({ clock, ledger })
  })

  test('are not taken over by somebody else who asks under the same name', () => {
    expect(bids.make('ensemble', { asker: 'did:a', item: item('n'), gpus: [] })).toBe(true)
    expect(bids.make('ensemble', { asker: 'did:b', item: item('n'), gpus: [] })).toBe(false)
    expect(bids.find('ensemble', 'n')?.asker).toBe('did:a')
  })

  test('of names with a slash are told apart', () => {
    bids.make('a/b', { asker: 'did:a', item: item('c'), gpus: [] })
    expect(bids.find('a', 'b/c')).toBeUndefined()
  })

  test('hold their resources for a while, and are honoured for five minutes', async () => {
    bids.make('ensemble', { asker: 'did:a', item: item('n', 3), gpus: [] })
    expect(bids.make('other', { asker: 'did:b', item: item('n', 2), gpus: [] })).toBe(false)
    await clock.run(clock.sleep(minutes(1)))
    expect(bids.make('other', { asker: 'did:b', item: item('n', 2), gpus: [] })).toBe(true)
    expect(bids.find('ensemble', 'n')).toBeDefined()
    await clock.run(clock.sleep(minutes(5)))
    expect(bids.find('ensemble', 'n')).toBeUndefined()
  })
})
