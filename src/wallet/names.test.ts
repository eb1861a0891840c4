import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import vectors from '../../test/vectors/identity.json' with { type: 'json' }
import { millis, systemClock } from '../base/index.ts'
import { createAliasStore } from './aliases.ts'
import { accountOf, parseWalletName } from './names.ts'

describe('the name of a wallet', () => {
  test.each([
    'user',
    'ledger2',
    'ledgerbob',
    'eternlity',
    'notledger:context',
    'ledger:',
    'ledger:a:b',
    'ledger:../x',
    'ledger: x',
    'eternl:',
    'ledger:-1'
  ])('is not %j', (name) => {
    expect(parseWalletName(name).ok).toBe(false)
  })

  test.each([
    ['ledger', 'ledger', 'ledger'],
    ['ledger:user', 'ledger', 'user'],
    ['ledger:3', 'ledger', '3'],
    ['eternl', 'eternl', 'eternl'],
    ['eternl:main', 'eternl', 'main']
  ])('%s is one of %s with the context %s', (name, kind, part) => {
    expect(parseWalletName(name)).toEqual({ ok: true, value: { kind, part } })
  })

  test.each(vectors.contextName.cases)('$context of the vectors', ({ context, isLedger, key }) => {
    const name = parseWalletName(context)
    // stricter on purpose: a key may be named ledgerbob (W18), and one colon is enough
    if (context === 'ledgerbob' || context === 'ledger:a:b') return expect(name.ok).toBe(false)
    expect(name.ok).toBe(isLedger)
    if (name.ok) expect(name.value.part).toBe(key)
  })
})

describe('the account of a Ledger', () => {
  const aliases = new Map([['biz', 5]])

  test.each(vectors.ledgerAlias.resolve)('is found for $key', ({ key, index, error }) => {
    const account = accountOf(key, aliases)
    if (account.ok) expect(account.value).toBe(index)
    else expect(account.error.message).toBe(error)
  })

  test('is no index beyond the range of paths', () => {
    expect(accountOf('2147483648', aliases)).toMatchObject({ ok: false })
    expect(accountOf('2147483647', aliases)).toEqual({ ok: true, value: 2147483647 })
  })

  test('is not taken from what every object inherits', () => {
    expect(accountOf('constructor', aliases)).toMatchObject({ ok: false })
  })
})

describe('aliases', () => {
  let directory = ''
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'wallet-aliases-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  const clock = { ...systemClock, now: () => millis(1_800_000_000_000) }
  const store = () => createAliasStore({ directory, clock })

  test.each([...vectors.ledgerAlias.badAlias, '  ', 'a b', '../x', '-x', 'a'.repeat(65)])('may not be %j', async (alias) => {
    await expect(store().set(alias, '1')).rejects.toMatchObject({ code: 'WALLET_BAD_ALIAS' })
    expect(await readdir(directory)).toEqual([])
  })

  test.each(['', '-1', '1.5', 'one', '0x1', '2147483648'])('may not mean the account %j', async (index) => {
    await expect(store().set('biz', index)).rejects.toThrow('index must be a non-negative integer')
    expect(await readdir(directory)).toEqual([])
  })

  test.each(['', '[]', '{', '{"a":-1}', '{"a":1.5}', '{"a":"1"}', '{"a":4294967296}'])(
    'in a damaged file %j are an error that names it, and the file stays',
    async (text) => {
      const path = join(directory, 'ledger_aliases.json')
      await writeFile(path, text)
      await expect(store().list()).rejects.toMatchObject({
        code: 'WALLET_BAD_ALIAS_FILE',
        message: expect.stringContaining(path) as string
      })
      await expect(store().set('biz', '5')).rejects.toMatchObject({ code: 'WALLET_BAD_ALIAS_FILE' })
      expect(await readFile(path, 'utf8')).toBe(text)
    }
  )

  test('that are unknown cannot be removed', async () => {
    await expect(store().remove('nope')).rejects.toMatchObject({ code: 'WALLET_UNKNOWN_ALIAS' })
  })

  test('are kept in the form of the reference, privately, with a backup of what was there', async () => {
    expect(await store().set(' biz ', '5')).toEqual({ alias: 'biz', account: 5 })
    await store().set('alpha', '0')
    const path = join(directory, 'ledger_aliases.json')
    expect(await readFile(path, 'utf8')).toBe('{\n  "alpha": 0,\n  "biz": 5\n}')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readFile(`${path}.1800000000`, 'utf8')).toBe('{\n  "biz": 5\n}')
    expect([...(await store().list())]).toEqual([
      ['alpha', 0],
      ['biz', 5]
    ])
    await store().remove('alpha')
    await store().remove('biz')
    expect(await readFile(path, 'utf8')).toBe('{}')
  })

  test('that are set at once are all kept', async () => {
    await Promise.all(Array.from({ length: 8 }, (_, index) => store().set(`alias${index}`, String(index))))
    expect((await store().list()).size).toBe(8)
  })
})
