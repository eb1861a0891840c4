import { describe, expect, test } from 'vitest'
import { generateKeyPair, importKeyPair, isPrivateKeyHex, parsePrivateKey } from './index.ts'

const KEY = generateKeyPair()
const PROTOBUF = Buffer.from(KEY.exportPrivate())
const RAW = PROTOBUF.subarray(4)
const SEED = RAW.subarray(0, 32)
const OLD_FORM = Buffer.concat([Buffer.from([8, 1, 18, 96]), RAW, RAW.subarray(32)])
const SECP256K1 = Buffer.concat([Buffer.from('08021220', 'hex'), Buffer.alloc(32, 5)])

describe('the text of a private key is refused, and not repeated, when it', () => {
  test.each([
    ['is empty', ''],
    ['is no text of a key', 'correct horse battery staple'],
    ['has a digit too few', PROTOBUF.toString('hex').slice(1)],
    ['has a byte too few', PROTOBUF.subarray(1).toString('hex')],
    ['has 33 bytes', Buffer.alloc(33, 1).toString('hex')],
    ['is base64 without its padding', SEED.toString('base64').replace(/=+$/, '')],
    ['is base64 for URLs', Buffer.alloc(32, 0xfb).toString('base64url')],
    ['is two keys', `${SEED.toString('hex')}\n${SEED.toString('hex')}`],
    ['is longer than any key', '00'.repeat(10_000)],
    ['names a public part that is not its own', Buffer.concat([SEED, Buffer.alloc(32, 1)]).toString('hex')],
    ['is an RSA key', `0800${PROTOBUF.toString('hex').slice(4)}`],
    ['is a secp256k1 key of zero', `08021220${'00'.repeat(32)}`]
  ])('%s', (_what, text) => {
    const key = parsePrivateKey(text)
    expect(key.ok).toBe(false)
    if (!key.ok && text.length > 8) expect(key.error.message).not.toContain(text.slice(0, 8))
  })
})

describe('a private key is read', () => {
  test.each([
    ['hexadecimal of the libp2p form', PROTOBUF.toString('hex')],
    ['hexadecimal in capitals, with 0x and white space', ` 0x${PROTOBUF.toString('hex').toUpperCase()}\r\n`],
    ['hexadecimal of the seed', SEED.toString('hex')],
    ['hexadecimal of seed and public key', RAW.toString('hex')],
    ['hexadecimal of the old libp2p form', OLD_FORM.toString('hex')],
    ['base64 of the libp2p form', PROTOBUF.toString('base64')],
    ['base64 of the seed', `${SEED.toString('base64')}\n`],
    ['base64 of seed and public key', RAW.toString('base64')]
  ])('from %s', (_what, text) => {
    const key = parsePrivateKey(text)
    expect(key.ok && key.value.did).toBe(KEY.did)
    expect(key.ok && Buffer.from(key.value.exportPrivate())).toEqual(PROTOBUF)
  })

  test.each(['hex', 'base64'] as const)('from %s of a secp256k1 key', (encoding) => {
    const key = parsePrivateKey(SECP256K1.toString(encoding))
    const expected = importKeyPair(SECP256K1)
    expect(key.ok && key.value.did).toBe(expected.ok && expected.value.did)
    expect(key.ok && Buffer.from(key.value.exportPrivate())).toEqual(SECP256K1)
  })
})

test('hexadecimal of the right length has the form of a private key, and nothing else has', () => {
  for (const bytes of [SEED, RAW, PROTOBUF, OLD_FORM, SECP256K1]) {
    expect(isPrivateKeyHex(bytes.toString('hex'))).toBe(true)
    expect(isPrivateKeyHex(bytes.toString('base64'))).toBe(false)
    expect(isPrivateKeyHex(`${bytes.toString('hex')}00`)).toBe(false)
  }
})
