import { generateKeyPair, privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeHex, hours, type Millis, millis, minutes, systemClock, utf8 } from '../../base/index.ts'
import { keyPairFromSeed } from '../../identity/index.ts'
import { decodeProtobuf, encodeProtobuf } from '../protobuf.ts'
import { type Advertisement, MAX_ADVERTISED_DATA, readAdvertisement, recordKey, signAdvertisement } from './record.ts'
import { advertisementRules } from './rules.ts'

const NAMESPACE = 'nunet-dht-1'
const NOW = millis(1_800_000_000_000)

const privateKey = privateKeyFromProtobuf(keyPairFromSeed(new Uint8Array(32).fill(7)).exportPrivate())
const peer = peerIdFromPrivateKey(privateKey).toString()

function said(changes: Partial<Advertisement> = {}): Advertisement {
  return { peer, timestamp: BigInt(NOW / 1000), data: utf8('hello'), ...changes }
}

async function read(record: Uint8Array, key = recordKey(NAMESPACE, 'relay', peer), now: Millis = NOW) {
  return readAdvertisement(key, record, { namespace: NAMESPACE, now })
}

async function refusal(...args: Parameters<typeof read>): Promise<string> {
  const result = await read(...args)
  return result.ok ? 'accepted' : result.error
}

/** The record with one field replaced. */
function forged(record: Uint8Array, number: number, value: bigint | Uint8Array): Uint8Array {
  const fields = decodeProtobuf(record)
  if (!fields.ok) throw new Error(fields.error)
  return encodeProtobuf(fields.value.map((field) => (field.number === number ? { number, value } : field)))
}

describe('a record is refused', () => {
  test('when it is empty, so that nobody deletes for others', async () => {
    expect(await refusal(new Uint8Array(0))).toContain('lacks its peer')
  })

  test('when it is no message, or too large', async () => {
    expect(await refusal(Uint8Array.of(0xff))).toContain('ends within a number')
    expect(await refusal(new Uint8Array(MAX_ADVERTISED_DATA + 513))).toContain('at most')
  })

  test('under the key of another peer or namespace', async () => {
    const record = await signAdvertisement(privateKey, said())
    const other = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()
    expect(await refusal(record, recordKey(NAMESPACE, 'relay', other))).toContain('does not name the peer')
    expect(await refusal(record, recordKey('acme-dht-1', 'relay', peer))).toContain('does not name the peer')
    expect(await refusal(record, utf8(`/${NAMESPACE}/x-relay-${peer}`))).toContain('does not name the peer')
  })

  test('when somebody else signed it in the name of the peer', async () => {
    const thief: PrivateKey = await generateKeyPair('Ed25519')
    expect(await refusal(await signAdvertisement(thief, said()))).toContain('not that of the peer')
  })

  test('when data, time or public key were changed', async () => {
    const record = await signAdvertisement(privateKey, said())
    expect(await refusal(forged(record, 3, utf8('hellO')))).toContain('does not verify')
    expect(await refusal(forged(record, 2, BigInt(NOW / 1000) + 1n))).toContain('does not verify')
    expect(await refusal(forged(record, 5, new Uint8Array(32)))).toMatch(/not that of the peer|cannot be used/)
    expect(await refusal(forged(record, 5, new Uint8Array(3)))).toContain('cannot be used')
  })

  test('48 hours after it was made, and when it is from the future', async () => {
    const record = await signAdvertisement(privateKey, said())
    const key = recordKey(NAMESPACE, 'relay', peer)
    expect(await refusal(record, key, millis(NOW + hours(48) + 1000))).toContain('too old')
    expect(await refusal(record, key, millis(NOW - minutes(11)))).toContain('too old, or from the future')
    expect(await refusal(record, key, millis(NOW + hours(47)))).toBe('accepted')
  })

  test('never with an exception, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect((await read(bytes)).ok).toBe(false)
      })
    )
  })
})

describe('a record is accepted', () => {
  test('that the peer signed with its Ed25519 or secp256k1 key, also one without data, which takes back', async () => {
    for (const key of [privateKey, await generateKeyPair('secp256k1')]) {
      const own = peerIdFromPrivateKey(key).toString()
      for (const data of [utf8('hello'), new Uint8Array(0)]) {
        const record = await signAdvertisement(key, said({ peer: own, data }))
        const result = await read(record, recordKey(NAMESPACE, 'my-key', own))
        expect(result).toEqual({ ok: true, value: said({ peer: own, data }) })
      }
    }
  })

  test('in the form of the reference: the signature covers peer, low byte of the time, data and public key', async () => {
    const record = await signAdvertisement(privateKey, said())
    const fields = decodeProtobuf(record)
    if (!fields.ok) throw new Error(fields.error)
    expect(fields.value.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5])
    const publicKey = privateKey.publicKey.raw
    const signed = `${encodeHex(utf8(peer))}00${encodeHex(utf8('hello'))}${encodeHex(publicKey)}`
    expect(Number(BigInt(NOW / 1000) & 0xffn)).toBe(0)
    const signature = fields.value.find(({ number }) => number === 4)?.value
    if (!(signature instanceof Uint8Array)) throw new Error('there is no signature')
    expect(await privateKey.publicKey.verify(Buffer.from(signed, 'hex'), signature)).toBe(true)
  })
})

describe('the rules of the hash tables', () => {
  const rules = advertisementRules(NAMESPACE, { ...systemClock, now: () => NOW })
  const key = recordKey(NAMESPACE, 'relay', peer)

  test('store no bad record', async () => {
    await expect(rules.validators[NAMESPACE]?.(key, utf8('nonsense'))).rejects.toThrow()
    await expect(rules.validators[NAMESPACE]?.(key, await signAdvertisement(privateKey, said()))).resolves.toBeUndefined()
  })

  test('let the newest record count, wherever it stands', async () => {
    const times = [3n, 9n, 5n].map((seconds) => BigInt(NOW / 1000) - seconds)
    const records = await Promise.all(times.map((timestamp) => signAdvertisement(privateKey, said({ timestamp }))))
    expect(rules.selectors[NAMESPACE]?.(key, records)).toBe(0)
    expect(rules.selectors[NAMESPACE]?.(key, [...records].reverse())).toBe(2)
    expect(rules.selectors[NAMESPACE]?.(key, [utf8('nonsense'), ...records])).toBe(1)
  })
})
