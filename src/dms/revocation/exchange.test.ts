import { expect, test } from 'vitest'
import { type Actor, SILENCE, type VerifiedEnvelope } from '../../actor/index.ts'
import { type Clock, millis, silentLogger, systemRandom, toNanos } from '../../base/index.ts'
import { createMemoryStore } from '../../db/index.ts'
import { type Did, generateKeyPair } from '../../identity/index.ts'
import { createContext, type Token } from '../../ucan/index.ts'
import { createRevocationExchange } from './exchange.ts'
import { createKnownRevocations } from './known.ts'

const NOW = millis(1_800_000_000_000)
const clock: Clock = { now: () => NOW, sleep: () => new Promise(() => undefined) }
const until = toNanos(millis(NOW + 86_400_000))

async function revocationOf(issuer = createContext({ signer: generateKeyPair() })): Promise<Token> {
  return issuer.revoke(await issuer.grant({ subject: generateKeyPair().did, capabilities: ['/public'], expiresAt: until }))
}

const counters = { increment: () => undefined, snapshot: () => ({}) }

/** A message of a sender that may send. */
function from(origin: Did): VerifiedEnvelope {
  return { authorization: { origin } } as unknown as VerifiedEnvelope
}

test('senders that have every signature checked that a node checks in a second do not keep others from being heard', async () => {
  const context = createContext({ signer: generateKeyPair() })
  const store = createMemoryStore()
  await store.start()
  const known = createKnownRevocations({ store, context, clock, log: silentLogger })
  const exchange = createRevocationExchange({
    actor: {} as unknown as Actor,
    ...{ context, known, clock, log: silentLogger, random: systemRandom, counters },
    peers: { onPeer: () => () => undefined }
  })
  const forged = { ...(await revocationOf()), signature: new Uint8Array(64) }
  for (let sender = 0; sender < 3; sender += 1) {
    const { did } = generateKeyPair()
    for (let message = 0; message < 16; message += 1) {
      const nonces = Array.from({ length: 32 }, (_, index) => Buffer.from(`${sender}-${message}-${index}`.padEnd(12)))
      await exchange.receive(
        nonces.map((nonce) => ({ ...forged, nonce })),
        from(did)
      )
    }
  }
  const organization = createContext({ signer: generateKeyPair() })
  const revocation = await revocationOf(organization)
  expect(await exchange.receive([revocation], from(organization.did))).toBe(SILENCE)
  expect(context.isRevoked(revocation)).toBe(true)
})
