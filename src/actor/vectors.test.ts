import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { encodeGoJson, fromUtf8, isJsonObject, type JsonValue, parseJson } from '../base/index.ts'
import { createVerifier } from '../identity/index.ts'
import { parseTokenList } from '../ucan/index.ts'
import { parseDestination } from './handle.ts'
import {
  decodeEnvelope,
  EMPTY_HANDLE,
  encodeEnvelope,
  handleToJson,
  hasValidSignature,
  parseHandle,
  rootHandleOf,
  signedBytes
} from './index.ts'

/** The vector files are parsed with our own parser, since they hold 64-bit integers. */
function vectors(name: string): Readonly<Record<string, JsonValue>> {
  const parsed = parseJson(readFileSync(new URL(`../../test/vectors/${name}.json`, import.meta.url), 'utf8'))
  if (!parsed.ok || !isJsonObject(parsed.value)) throw new Error(`${name}.json cannot be read`)
  return parsed.value
}

function items(value: JsonValue | undefined): readonly Readonly<Record<string, JsonValue>>[] {
  const list = Array.isArray(value) ? value : isJsonObject(value) ? value['items'] : undefined
  if (!Array.isArray(list)) throw new Error('the vectors have no such list')
  return list.filter(isJsonObject)
}

const text = (value: JsonValue | undefined): string => {
  if (typeof value !== 'string') throw new Error('the vector has no such text')
  return value
}

const actor = vectors('actor')
const identity = vectors('identity')
const verifier = createVerifier()

function decoded(json: string) {
  const envelope = decodeEnvelope(json)
  if (!envelope.ok) throw new Error(`${envelope.error.path}: ${envelope.error.message}`)
  return envelope.value
}

describe('envelopes of the vectors', () => {
  for (const vector of items(actor['envelopes'])) {
    test(`${text(vector['name'])} keeps its bytes and its signature`, () => {
      const envelope = decoded(text(vector['envelope_json']))
      expect(encodeEnvelope(envelope)).toBe(vector['envelope_json'])
      expect(fromUtf8(signedBytes(envelope))).toBe(vector['signed_bytes_utf8'])
      expect(hasValidSignature(envelope, verifier)).toBe(true)
      expect(hasValidSignature({ ...envelope, nonce: envelope.nonce + 1n }, verifier)).toBe(false)
    })
  }

  for (const vector of items(actor['envelope_edge_cases'])) {
    test(`${text(vector['name'])}: the signature holds after parsing and encoding again`, () => {
      expect(hasValidSignature(decoded(text(vector['envelope_json'])), verifier)).toBe(true)
    })
  }

  test('the envelope of the oracle keeps its bytes, its signature and its tokens', () => {
    const vector = identity['envelope']
    if (!isJsonObject(vector)) throw new Error('no envelope vector')
    const envelope = decoded(text(vector['json']))
    expect(encodeEnvelope(envelope)).toBe(vector['json'])
    expect(hasValidSignature(envelope, verifier)).toBe(true)
    expect(parseTokenList(fromUtf8(envelope.capabilities)).ok).toBe(true)
  })

  for (const shape of ['emptyMsgBroadcastShape', 'nilMsgShape'] as const) {
    test(`${shape} survives a round trip, null and empty payload apart`, () => {
      const vector = identity['envelope']
      const json = text(isJsonObject(vector) ? vector[shape] : undefined)
      expect(encodeEnvelope(decoded(json))).toBe(json)
    })
  }

  for (const { behaviour_string, encoded } of items(actor['go_json_escaping'])) {
    test(`${text(behaviour_string)} is escaped as Go does`, () => {
      expect(encodeGoJson(behaviour_string)).toBe(encoded)
    })
  }
})

describe('handles of the vectors', () => {
  test('the empty handle has its three members', () => {
    const vector = actor['empty_handle_json']
    expect(encodeGoJson(handleToJson(EMPTY_HANDLE))).toBe(isJsonObject(vector) ? vector['json'] : '')
  })

  for (const vector of items(actor['identities'])) {
    test(`${text(vector['name'])}: did, peer id and handle name the same root actor`, () => {
      const fromDid = parseDestination(text(vector['did']), parseJson)
      if (!fromDid.ok) throw new Error(fromDid.error.message)
      expect(fromDid.value.id).toBe(vector['id_string_base32'])
      const fromPeer = parseDestination(fromDid.value.host, parseJson)
      expect(fromPeer).toEqual(fromDid)
      expect(parseHandle(parsed(encodeGoJson(handleToJson(fromDid.value))))).toEqual(fromDid)
    })
  }

  test('a text that is no peer id and a did of an unknown kind are refused', () => {
    expect(parseDestination('not-a-peerid', parseJson).ok).toBe(false)
    expect(parseDestination('did:web:example', parseJson).ok).toBe(false)
    expect(rootHandleOf({ type: 'cardano', bytes: new Uint8Array(32) }).ok).toBe(false)
  })
})

function parsed(json: string): JsonValue {
  const value = parseJson(json)
  if (!value.ok) throw new Error(value.error.message)
  return value.value
}
