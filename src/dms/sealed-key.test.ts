import { describe, expect, test } from 'vitest'
import { encodeBase64 } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { sealKey, unsealKey } from './sealed-key.ts'

describe('the stored key of an actor', () => {
  const nodeKey = generateKeyPair()

  test('opens for no other node, and not when it was changed', () => {
    const sealed = sealKey(nodeKey, generateKeyPair())
    expect(() => unsealKey(generateKeyPair(), sealed)).toThrow()
    const changed = sealed.slice(0, 40) + (sealed[40] === 'x' ? 'y' : 'x') + sealed.slice(41)
    expect(() => unsealKey(nodeKey, changed)).toThrow()
    expect(() => unsealKey(nodeKey, 'no base64')).toThrow(expect.objectContaining({ code: 'DMS_UNREADABLE_KEY' }))
    expect(() => unsealKey(nodeKey, encodeBase64(nodeKey.seal(new Uint8Array(5))))).toThrow('cannot be read')
  })

  test('comes back as it was', () => {
    const key = generateKeyPair()
    expect(unsealKey(nodeKey, sealKey(nodeKey, key)).did).toBe(key.did)
  })
})
