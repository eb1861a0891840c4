import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeBase64, fromUtf8, isJsonObject, millis, parseJson, toNanos, utf8 } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { createContext, encodeTokenList } from '../ucan/index.ts'
import { type Envelope, encodeEnvelope, MAX_U64, signedBytes } from './envelope.ts'
import { EMPTY_HANDLE, type Handle, handleOf } from './handle.ts'
import { createEnvelopeReader, type EnvelopeReader, type ReadEnvelope, readAny } from './reader.ts'

const [near, far] = [generateKeyPair(), generateKeyPair()]
const handles: readonly Handle[] = [
  EMPTY_HANDLE,
  handleOf(near, near.did, near.peerId, 'root'),
  handleOf(far, far.did, far.peerId, 'user-1'),
  { ...handleOf(near, near.did, near.peerId, 'ü "<&>\\ \u2028'), did: '' },
  { id: '', did: far.did, host: '', inbox: 'a' }
]

const text = fc.oneof(
  fc.constantFrom('', '/public/hello', '/a","from":{', '/b"', '/c\\', '/<script>&', '/ü', '/\u2028', '/x,"nonce":', '/\u0007'),
  fc.string({ maxLength: 20 })
)
const binary = fc.uint8Array({ maxLength: 40 })
const unsigned = fc.oneof(fc.constantFrom(0n, 1n, 2n ** 53n, MAX_U64), fc.bigInt({ min: 0n, max: MAX_U64 }))
const envelopes: fc.Arbitrary<Envelope> = fc.record({
  to: fc.constantFrom(...handles),
  behavior: text,
  from: fc.constantFrom(...handles),
  nonce: unsigned,
  expiresAt: unsigned,
  replyTo: text,
  topic: text,
  payload: fc.option(binary),
  capabilities: binary,
  signature: binary
})

/** What a reading says, in a form that can be compared. */
function said(read: ReturnType<EnvelopeReader['read']>): unknown {
  if (!read.ok) return read
  const { envelope, signed, sender, receiver, tokens } = read.value
  return { envelope, signed: fromUtf8(signed()), sender: sender(), receiver: receiver(), tokens: tokens() }
}

/** Reads twice with the same reader, which remembers everything, as if all of it had been accepted. */
function expectSame(reader: EnvelopeReader, frame: Uint8Array): void {
  const expected = said(readAny(frame))
  for (let turn = 0; turn < 2; turn += 1) {
    const read = reader.read(frame)
    expect(said(read)).toEqual(expected)
    if (read.ok) read.value.remember()
  }
}

describe('the fast way of reading says what the slow one says', () => {
  test('of whatever is encoded', () => {
    const reader = createEnvelopeReader()
    fc.assert(
      fc.property(envelopes, (envelope) => expectSame(reader, utf8(encodeEnvelope(envelope)))),
      { numRuns: 500 }
    )
  })

  test('of texts that were changed anywhere', () => {
    const reader = createEnvelopeReader()
    const splice = fc.tuple(
      fc.nat(1000),
      fc.nat(3),
      fc.constantFrom('', '"', ' ', '\\', '0', ',', '}', '{', '\u00fc', ',"sig":"', 'null', '=')
    )
    fc.assert(
      fc.property(envelopes, splice, (envelope, [place, removed, added]) => {
        const original = encodeEnvelope(envelope)
        const at = place % original.length
        expectSame(reader, utf8(original.slice(0, at) + added + original.slice(at + removed)))
      }),
      { numRuns: 1000 }
    )
  })

  const canonical = encodeEnvelope({
    to: handles[1] ?? EMPTY_HANDLE,
    behavior: '/public/hello',
    from: handles[2] ?? EMPTY_HANDLE,
    nonce: 7n,
    expiresAt: 8n,
    replyTo: '/dms/actor/replyto/1',
    topic: '',
    payload: utf8('{}'),
    capabilities: utf8('{}'),
    signature: new Uint8Array(64)
  })
  test.each<readonly [string, (text: string) => string]>([
    ['white space', (json) => json.replace(',"msg"', ', "msg"')],
    ['another order', (json) => json.replace('"nonce":7,', '').replace('{"to"', '{"nonce":7,"to"')],
    ['a repeated member', (json) => json.replace('"nonce":7', '"nonce":7,"nonce":7')],
    ['an unknown member', (json) => json.replace('"nonce":7', '"nonce":7,"more":1')],
    ['an integer with a zero before it', (json) => json.replace('"nonce":7', '"nonce":07')],
    ['an integer that is too large', (json) => json.replace('"nonce":7', `"nonce":${MAX_U64 + 1n}`)],
    ['an empty optional member', (json) => json.replace('"cont":"/dms/actor/replyto/1"', '"cont":""')],
    ['an escaped character', (json) => json.replace('/public/hello', '/\\u0070ublic/hello')],
    ['a character that Go escapes', (json) => json.replace('/public/hello', '/public/<hello')],
    ['base64 with bits that say nothing', (json) => json.replace('"msg":"e30="', '"msg":"e31="')],
    ['base64 without padding', (json) => json.replace('"msg":"e30="', '"msg":"e30"')],
    ['a handle with an empty member', (json) => json.replace('"inbox":"root"', '"inbox":""')],
    ['a handle in another order', (json) => json.replace(/"host":"(\w+)","inbox":"root"/, '"inbox":"root","host":"$1"')],
    ['text after the end', (json) => `${json} `],
    ['a member after the signature', (json) => json.replace(/\}$/, ',"x":1}')],
    ['no signature', (json) => json.replace(/,"sig":"[^"]*"/, '')]
  ])('of %s', (_, change) => {
    expect(change(canonical)).not.toBe(canonical)
    expectSame(createEnvelopeReader(), utf8(change(canonical)))
  })

  test('of the vectors', () => {
    const vectors = parseJson(readFileSync(new URL('../../test/vectors/actor.json', import.meta.url), 'utf8'))
    if (!vectors.ok || !isJsonObject(vectors.value)) throw new Error('the vectors cannot be read')
    const lists = [vectors.value['envelopes'], vectors.value['envelope_edge_cases']]
    const texts = lists
      .flatMap((list) => (isJsonObject(list) ? list['items'] : list))
      .flatMap((item) => {
        const json = isJsonObject(item) ? item['envelope_json'] : undefined
        return typeof json === 'string' ? [json] : []
      })
    expect(texts.length).toBeGreaterThan(3)
    const reader = createEnvelopeReader()
    for (const json of texts) expectSame(reader, utf8(json))
  })
})

describe('what is remembered', () => {
  const now = millis(1_770_000_000_000)

  async function frameWithTokens(behavior: string): Promise<Uint8Array> {
    const expiresAt = toNanos(millis(now + 30_000))
    const tokens = await createContext({ signer: near }).present({
      target: far.did,
      subject: near.actorId,
      audience: far.actorId,
      invoke: [behavior],
      expiresAt,
      now
    })
    return utf8(
      encodeEnvelope({
        to: handleOf(far, far.did, far.peerId, 'root'),
        behavior,
        from: handleOf(near, near.did, near.peerId, 'root'),
        nonce: 1n,
        expiresAt,
        replyTo: '',
        topic: '',
        payload: null,
        capabilities: utf8(encodeTokenList(tokens)),
        signature: new Uint8Array(64)
      })
    )
  }

  function read(reader: EnvelopeReader, frame: Uint8Array): ReadEnvelope {
    const outcome = reader.read(frame)
    if (!outcome.ok) throw new Error(outcome.error.message)
    return outcome.value
  }

  function tokensOf(envelope: ReadEnvelope): unknown {
    const tokens = envelope.tokens()
    return tokens.ok ? tokens.value : tokens
  }

  test('are tokens of accepted envelopes only', async () => {
    const reader = createEnvelopeReader()
    const frame = await frameWithTokens('/test')
    const [first, second] = [read(reader, frame), read(reader, frame)]
    expect(tokensOf(second)).not.toBe(tokensOf(first))
    second.remember()
    expect(tokensOf(read(reader, frame))).toBe(tokensOf(second))
    expect(tokensOf(read(reader, await frameWithTokens('/other')))).not.toBe(tokensOf(second))
  })

  test('is forgotten when too much came after it, and read anew', async () => {
    const reader = createEnvelopeReader()
    const frame = await frameWithTokens('/test')
    const first = read(reader, frame)
    first.remember()
    const base = fromUtf8(frame)
    for (let index = 0; index < 1100; index += 1) {
      const other = base.replace(/"cap":"[^"]*"/, `"cap":"${encodeBase64(utf8(`{"tok":${index}}`))}"`)
      read(reader, utf8(other)).remember()
    }
    const again = read(reader, frame)
    expect(tokensOf(again)).not.toBe(tokensOf(first))
    expect(tokensOf(again)).toEqual(tokensOf(first))
  })

  test('is signed bytes only until the next envelope is read', async () => {
    const reader = createEnvelopeReader()
    const frames = [await frameWithTokens('/test'), await frameWithTokens('/other')]
    for (const frame of frames) {
      const { envelope, signed } = read(reader, frame)
      expect(fromUtf8(signed())).toBe(fromUtf8(signedBytes(envelope)))
    }
  })
})
