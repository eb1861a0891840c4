import { describe, expect, test } from 'vitest'
import { bytes, gibibytes, millis, minutes } from '../../base/index.ts'
import { createMemoryStore } from '../../db/index.ts'
import { CLUSTER_MACHINE, createVirtualClock } from '../../testing/index.ts'
import { createResourceLedger } from '../resources/index.ts'
import { checkOffer, offerLimits } from './limits.ts'
import { createOnboarding } from './onboarding.ts'

const limits = offerLimits(CLUSTER_MACHINE)
const offer = (cpuCores: number, memory: number, disk: number) => ({
  cpuCores,
  memory: gibibytes(memory),
  disk: gibibytes(disk),
  gpus: []
})

describe('the limits of an offer', () => {
  test.each([
    [offer(0.5, 4, 10), 'expected CPU to be between 1 and 4 cores, got 0.5'],
    [offer(5, 4, 10), 'expected CPU to be between 1 and 4 cores, got 5'],
    [offer(1, 0.5, 10), 'expected RAM to be between 819.2 MiB and 7.2 GiB, got 512 MiB'],
    [offer(1, 7.5, 10), 'expected RAM to be between 819.2 MiB and 7.2 GiB, got 7.5 GiB'],
    [offer(1, 4, 0.5), 'expected Disk to be between 1 GiB and 90 GiB, got 512 MiB (file system of /)'],
    [offer(1, 4, 95), 'expected Disk to be between 1 GiB and 90 GiB, got 95 GiB (file system of /)']
  ])('are stated when an offer is outside: %o', (given, message) => {
    expect(checkOffer(given, limits)).toEqual([message])
  })

  test('are inclusive and forgive rounding to 0.1 GiB', () => {
    expect(checkOffer(offer(1, 0.8, 1), limits)).toEqual([])
    expect(checkOffer(offer(4, 7.3, 90), limits)).toEqual([])
  })
})

describe('onboarding', () => {
  async function setUp() {
    const clock = createVirtualClock()
    const store = createMemoryStore()
    await store.start()
    const ledger = createResourceLedger({ store, clock })
    await ledger.start()
    const hardware = {
      capacity: () => Promise.resolve(CLUSTER_MACHINE),
      usage: () => Promise.resolve({ cpuCores: 0, memory: bytes(0), disk: bytes(0), gpus: [] })
    }
    return { clock, ledger, onboarding: createOnboarding({ ledger, hardware }) }
  }

  test('refuses an offer outside of the limits and stores nothing', async () => {
    const { onboarding } = await setUp()
    await expect(onboarding.onboard(offer(9, 9, 999))).rejects.toMatchObject({
      code: 'ONBOARDING_CAPACITY_NOT_MET',
      kind: 'invalid'
    })
    expect(onboarding.isOnboarded()).toBe(false)
  })

  test('stores an offer, rounded values cut to the limit', async () => {
    const { onboarding, ledger } = await setUp()
    await onboarding.onboard(offer(2, 7.25, 10))
    expect(ledger.offer()).toEqual({ cpuCores: 2, memory: Math.floor(gibibytes(8) * 0.9), disk: gibibytes(10), gpus: [] })
    expect(onboarding.isOnboarded()).toBe(true)
  })

  test('refuses to take back what is promised, and what was never lent', async () => {
    const { clock, onboarding, ledger } = await setUp()
    await expect(onboarding.offboard()).rejects.toMatchObject({ code: 'ONBOARDING_NOT_ONBOARDED' })
    await onboarding.onboard(offer(2, 4, 10))
    await ledger.commit('job', { amount: offer(1, 1, 1), owner: 'did:x', expiresAt: millis(clock.now() + minutes(1)) })
    await expect(onboarding.offboard()).rejects.toMatchObject({ code: 'ONBOARDING_STILL_IN_USE' })
    await ledger.release('job')
    await onboarding.offboard()
    expect(onboarding.isOnboarded()).toBe(false)
  })
})
