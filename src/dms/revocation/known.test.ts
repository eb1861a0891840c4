import { beforeEach, describe, expect, test } from 'vitest'
import { type Clock, type Millis, millis, silentLogger, toNanos } from '../../base/index.ts'
import { createMemoryStore, type MemoryStore } from '../../db/index.ts'
import { generateKeyPair } from '../../identity/index.ts'
import { type CapabilityContext, createContext, type Token } from '../../ucan/index.ts'
import { createKnownRevocations, type KnownRevocations } from './known.ts'

const START = millis(1_800_000_000_000)
const DAY = 86_400_000

let now: Millis
let store: MemoryStore
let context: CapabilityContext
let known: KnownRevocations
const organization = createContext({ signer: generateKeyPair() })
const clock: Clock = { now: () => now, sleep: () => Promise.resolve() }

beforeEach(async () => {
  now = START
  store = createMemoryStore()
  await store.start()
  await restart()
})

/** A process that has only what was stored and what is in the owner's file. */
async function restart(): Promise<void> {
  context = createContext({ signer: generateKeyPair() })
  context.anchor({ kind: 'root', did: organization.did }, now)
  known = createKnownRevocations({ store, context, clock, log: silentLogger })
  await known.start()
}

function grantOf(issuer: CapabilityContext, days = 10): Promise<Token> {
  return issuer.grant({
    subject: generateKeyPair().did,
    capabilities: ['/public'],
    expiresAt: toNanos(millis(START + days * DAY))
  })
}

async function ofStrangers(count: number): Promise<readonly Token[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const stranger = createContext({ signer: generateKeyPair() })
      return stranger.revoke(await grantOf(stranger))
    })
  )
}

describe('learned revocations', () => {
  test('cost no signature when they are known, have a chain, or are too large', async () => {
    const grant = await grantOf(organization)
    const revocation = await organization.revoke(grant)
    let checked = 0
    const count = (): boolean => {
      checked += 1
      return true
    }
    const large = { ...revocation, capabilities: Array.from({ length: 60 }, () => `/${'a'.repeat(200)}`) }
    expect(await known.learn([grant, { ...revocation, chain: grant }, large], 'x', count)).toMatchObject({ learned: 0, bad: 3 })
    expect(checked).toBe(0)
    expect(await known.learn([revocation], 'x', count)).toMatchObject({ learned: 1 })
    expect(await known.learn([revocation, revocation], 'x', count)).toMatchObject({ learned: 0, known: 2 })
    expect(checked).toBe(1)
  })

  test('of one who is in our anchors leave room for those of others', async () => {
    const guest = createContext({ signer: generateKeyPair() })
    context.anchor({ kind: 'root', did: guest.did }, now)
    const grant = await grantOf(guest)
    const flood = await Promise.all(
      Array.from({ length: 8300 }, (_, index) => guest.revoke({ ...grant, nonce: Buffer.from(`${index}`.padStart(8)) }))
    )
    expect(await known.learn(flood, guest.did)).toMatchObject({ learned: 8192, full: 108 })
    expect(await known.learn([await organization.revoke(await grantOf(organization))], organization.did)).toMatchObject({
      learned: 1
    })
  })

  test('are left when no more signatures may be checked', async () => {
    const revocation = await organization.revoke(await grantOf(organization))
    expect(await known.learn([revocation], 'x', () => false)).toMatchObject({ learned: 0, left: 1 })
    expect(known.size).toBe(0)
  })

  test('do not count when they cannot be stored', async () => {
    const failing = createMemoryStore({
      onWrite() {
        throw new Error('the disk is full')
      }
    })
    await failing.start()
    const weak = createKnownRevocations({ store: failing, context, clock, log: silentLogger })
    const grant = await grantOf(organization)
    await expect(weak.learn([await organization.revoke(grant)], 'x')).rejects.toMatchObject({ code: 'DB_WRITE_FAILED' })
    expect(context.isRevoked(grant)).toBe(false)
  })

  test('outlive a restart, and are dropped long after what they revoke has ended', async () => {
    const grant = await grantOf(organization)
    await known.learn([await organization.revoke(grant)], 'x')
    await restart()
    expect(context.isRevoked(grant)).toBe(true)
    now = millis(START + 20 * DAY)
    await known.sweep()
    expect(known.size).toBe(1)
    now = millis(START + 41 * DAY)
    await known.sweep()
    expect(known.size).toBe(0)
    await restart()
    expect(known.size).toBe(0)
  })

  test('count again once a clock that ran ahead is right', async () => {
    const grant = await grantOf(organization)
    await known.learn([await organization.revoke(grant)], 'x')
    now = millis(START + 11 * DAY)
    await restart()
    expect(context.isRevoked(grant)).toBe(false)
    now = START
    await known.sweep()
    expect(context.isRevoked(grant)).toBe(true)
  })

  test('never give back: neither one that ends earlier nor anything else that arrives allows again what was revoked', async () => {
    const grants = await Promise.all(Array.from({ length: 8 }, () => grantOf(organization)))
    const revocations = await Promise.all(grants.map((grant) => organization.revoke(grant)))
    const shorter = await Promise.all(
      grants.map((grant) => organization.revoke({ ...grant, expiresAt: toNanos(millis(START + DAY)) }))
    )
    let seed = 7
    const next = (bound: number): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % bound
    }
    const pool = [...revocations, ...shorter, ...(await ofStrangers(8)), ...grants]
    const revoked = new Set<number>()
    for (let step = 0; step < 150; step += 1) {
      const index = next(pool.length)
      await known.learn([pool[index] as Token], `sender ${next(3)}`)
      if (index < revocations.length) revoked.add(index)
      if (next(10) === 0) await restart()
      if (next(10) === 0) await known.sweep()
      for (const index of revoked) expect(context.isRevoked(grants[index] as Token)).toBe(true)
    }
    now = millis(START + 2 * DAY)
    await known.sweep()
    for (const index of revoked) expect(context.isRevoked(grants[index] as Token)).toBe(true)
    expect(revoked.size).toBe(grants.length)
  })

  test('of strangers are bounded for each sender, and those of our issuers are taken all the same', async () => {
    for (let round = 0; round < 9; round += 1) await known.learn(await ofStrangers(64), 'flooder')
    expect(known.size).toBe(512)
    expect(await known.learn(await ofStrangers(4), 'flooder')).toMatchObject({ learned: 0, full: 4 })
    expect(await known.learn(await ofStrangers(4), 'somebody else')).toMatchObject({ learned: 4 })
    expect(await known.learn([await organization.revoke(await grantOf(organization))], 'flooder')).toMatchObject({ learned: 1 })
  })

  test('of strangers are bounded together: who sent most gives way, what concerns our anchors never does', async () => {
    const grant = await grantOf(organization)
    await known.learn([await organization.revoke(grant)], 'sender 0')
    for (let sender = 0; sender < 8; sender += 1) {
      for (let round = 0; round < 8; round += 1) await known.learn(await ofFewIssuers(64), `sender ${sender}`)
    }
    expect(known.size).toBe(4097)
    expect(await known.learn(await ofStrangers(10), 'newcomer')).toMatchObject({ learned: 10 })
    expect(known.size).toBe(4097)
    expect(context.isRevoked(grant)).toBe(true)
  })
})

const issuers = Array.from({ length: 4 }, () => createContext({ signer: generateKeyPair() }))

async function ofFewIssuers(count: number): Promise<readonly Token[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const issuer = issuers[index % issuers.length] as CapabilityContext
      return issuer.revoke(await grantOf(issuer))
    })
  )
}
