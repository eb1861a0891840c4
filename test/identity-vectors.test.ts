import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decodeHex, encodeHex, utf8 } from '../src/base/index.ts'
import { didOf, parsePublicKey, publicKeyOf, verifySignature } from '../src/identity/index.ts'
import { parseTokens, signedBytes } from '../src/ucan/index.ts'
import vectors from './vectors/identity.json' with { type: 'json' }

const root = join(import.meta.dirname, '..')

/** The sources of all tests but this one, by path. */
const tests: ReadonlyMap<string, string> = new Map(
  ['src', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.ts') && !path.endsWith('identity-vectors.test.ts'))
      .map((path): [string, string] => [`${folder}/${path}`, readFileSync(join(root, folder, path), 'utf8')])
  )
)

/** Members that say something about a group, and are no vectors. */
const REMARKS: readonly string[] = ['about', 'provenance', 'source', 'note', 'docHint']

/** Lists whose entries are not inputs of one function: what each entry must leave in the tests. */
const BY_WORDS: Readonly<Record<string, readonly string[]>> = {
  'scenarios.cases': vectors.scenarios.cases.flatMap(({ name }) => name.split('/')),
  'ledgerCli.errors': vectors.ledgerCli.errors.map(({ errorContains }) => errorContains)
}

/** What the module of the wallets tests, as soon as it is there. */
const OF_WALLETS: readonly string[] = ['contextName.cases', 'ledgerCli.errors']
const isOfWallets = (path: string): boolean => OF_WALLETS.includes(path) || path.startsWith('ledgerAlias.')
const hasWallets = existsSync(join(root, 'src/wallet/index.ts'))

/** `didKey`, `keys.ed25519`, … : every list of the file. */
const lists = Object.entries(vectors).flatMap(([group, value]) => {
  if (Array.isArray(value)) return [group]
  return Object.entries(value)
    .filter(([name, member]) => Array.isArray(member) && !REMARKS.includes(name))
    .map(([name]) => `${group}.${name}`)
    .concat(group === 'keystore' ? ['keystore.rejects.cases'] : [])
})

/** Every member that is no list: single vectors. */
const singles = Object.entries(vectors).flatMap(([group, value]) =>
  typeof value === 'string' || Array.isArray(value)
    ? []
    : Object.entries<unknown>(value)
        .filter(([name, member]) => !Array.isArray(member) && !REMARKS.includes(name))
        .map(([name, value]) => ({ group, name, value }))
)

function isLoopedOver(list: string): boolean {
  const loop = new RegExp(`each\\((\\[\\.\\.\\.)?vectors\\.${list.replaceAll('.', '\\.')}\\b`)
  return [...tests.values()].some((source) => loop.test(source))
}

describe('the vectors of identity', () => {
  test('would be missed: a list that no test loops over is noticed', () => {
    expect(isLoopedOver('didKey')).toBe(true)
    expect(isLoopedOver('tokens.others')).toBe(false)
  })

  test('are found at all', () => {
    expect(lists).toEqual(
      expect.arrayContaining(['didKey', 'keys.ed25519', 'tokens.cases', 'keystore.opens', 'keystore.rejects.cases'])
    )
    expect(singles).toEqual(expect.arrayContaining([expect.objectContaining({ group: 'envelope', name: 'sigHex' })]))
    expect(tests.size).toBeGreaterThan(50)
  })

  test.for(lists)('each entry of %s is looked at by a test', (list, { skip }) => {
    skip(isOfWallets(list) && !hasWallets, 'there is no module of wallets yet')
    const missing = BY_WORDS[list]?.filter((words) => ![...tests.values()].some((source) => source.includes(words)))
    if (missing === undefined) expect(isLoopedOver(list), `no test loops over ${list}`).toBe(true)
    else expect(missing, 'no test has these words').toEqual([])
  })

  test.for(singles)('$name of $group is looked at by a test', ({ group, name, value }, { skip }) => {
    skip(isOfWallets(`${group}.${name}`) && !hasWallets, 'there is no module of wallets yet')
    const isNamed = (source: string): boolean =>
      new RegExp(`vectors\\.${group}\\b|identity\\['${group}'\\]`).test(source) && new RegExp(`\\b${name}\\b`).test(source)
    const holders = [...tests.values(), readFileSync(import.meta.filename, 'utf8')].filter(
      (source) => isNamed(source) || (typeof value === 'string' && source.includes(value.trim()))
    )
    expect(holders.length, `no test looks at ${group}.${name}`).toBeGreaterThan(0)
  })
})

function bytes(hex: string): Uint8Array {
  const decoded = decodeHex(hex)
  if (!decoded.ok) throw new Error(`the vectors have bad hexadecimal: ${hex}`)
  return decoded.value
}

describe('the vectors agree with each other', () => {
  test('the example of a private key is of the type that the help text says', () => {
    expect(vectors.keys.docHint.note).toContain('08011240')
    for (const { privateKeyProtobufHex } of vectors.keys.ed25519) expect(privateKeyProtobufHex).toMatch(/^08011240[0-9a-f]{128}$/)
  })

  test('the envelope is signed by the actor, over its signed bytes', () => {
    const { sigHex, signedBytesUtf8 } = vectors.envelope
    const actor = vectors.keys.ed25519.find(({ name }) => name === 'actor')
    expect(verifySignature(actor?.did ?? '', utf8(signedBytesUtf8), bytes(sigHex))).toBe(true)
    expect(verifySignature(actor?.did ?? '', utf8(`${signedBytesUtf8} `), bytes(sigHex))).toBe(false)
  })

  test('the COSE signature holds the structure and the headers that are written beside it', () => {
    const {
      coseSign1Hex,
      coseKeyHex,
      protectedHex,
      sigStructureHexComputed,
      payloadUtf8,
      rawPublicKeyHex,
      checkedHere,
      unprotected
    } = vectors.eternlCose
    expect(coseSign1Hex).toContain(protectedHex)
    expect(sigStructureHexComputed).toContain(protectedHex)
    expect(sigStructureHexComputed.endsWith(encodeHex(utf8(payloadUtf8)))).toBe(true)
    expect(coseKeyHex).toContain(rawPublicKeyHex)
    expect([checkedHere, unprotected]).toEqual([true, 'map[hashed:false]'])
  })

  test('the DID that is computed for the Ledger is one of its key', () => {
    const { key } = JSON.parse(vectors.ledgerCli.keyCall.fileWritten) as { key: string }
    const parsed = parsePublicKey('eth', bytes(key))
    expect(parsed.ok && didOf(parsed.value)).toBe(vectors.ledgerCli.keyCall.didComputed)
    expect(publicKeyOf(vectors.ledgerCli.keyCall.didComputed)).toEqual(parsed)
    const [message] = vectors.ledgerCli.signCall.argv.slice(-1)
    expect(Buffer.from(message ?? '', 'hex').toString()).toBe('payload')
  })

  test.each(vectors.tokenVerify.cases)(
    '$name: the signature is right unless a failure of it is expected',
    ({ tokenJSON, expected }) => {
      const parsed = parseTokens(tokenJSON)
      const [token] = parsed.ok ? parsed.value : []
      const isValid = token !== undefined && verifySignature(token.issuer, signedBytes(token), token.signature)
      if (expected === 'ok') expect(isValid).toBe(true)
      if (expected.includes('signature')) expect(isValid).toBe(false)
    }
  )
})
