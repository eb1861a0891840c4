import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, millis, systemClock } from '../base/index.ts'
import { setConfigValue, unsetConfigValue } from './edit.ts'
import { KEYS } from './keys.ts'
import { loadConfig } from './load.ts'
import { migrateConfigFile, tryToMigrate } from './migrate.ts'
import { DEPRECATED_KEYS } from './schema.ts'

const clock: Clock = { ...systemClock, now: () => millis(1_700_000_000_999) }

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dms-config-'))
  path = join(directory, 'dms_config.json')
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** Every deprecated key with a value of its own type that is not the default. */
function oldFile(): string {
  const observability = Object.fromEntries(
    Object.entries(DEPRECATED_KEYS).map(([old, current]): readonly [string, unknown] => [
      old.split('.')[1] ?? '',
      sampleOf(current)
    ])
  )
  return JSON.stringify({ rest: { port: 1 }, observability })
}

function sampleOf(name: string): unknown {
  const fallback: unknown = KEYS.find((key) => key.name === name)?.key.default
  if (name.endsWith('.level')) return 'WARN'
  if (name.endsWith('.url')) return 'https://old.example'
  if (typeof fallback === 'boolean') return !fallback
  return typeof fallback === 'number' ? fallback + 1 : `old ${name}`
}

describe('a file with deprecated keys', () => {
  test('is not touched when it is no JSON object', async () => {
    await writeFile(path, '{"observability": {')
    await expect(migrateConfigFile(path, { clock })).rejects.toThrow('line 1')
    expect(await tryToMigrate(path, { clock })).toMatchObject({ refused: expect.stringContaining('line 1') as string })
    expect(await readdir(directory)).toEqual(['dms_config.json'])
  })

  test('is not touched when it is read-only', async () => {
    await writeFile(path, oldFile())
    await chmod(path, 0o440)
    expect(await tryToMigrate(path, { clock })).toEqual({ refused: `${path} is read-only` })
    expect(await readFile(path, 'utf8')).toBe(oldFile())
    expect(await readdir(directory)).toEqual(['dms_config.json'])
  })

  test('is not touched while another process holds its lock', async () => {
    await writeFile(path, oldFile())
    const before = await readFile(path, 'utf8')
    await writeFile(`${path}.lock`, JSON.stringify({ pid: process.pid, started: '', token: '0'.repeat(32) }))
    // The wait of ten seconds is the lock's matter; here only that nothing was written before it was held.
    const attempt = migrateConfigFile(path, { clock })
    expect(await readFile(path, 'utf8')).toBe(before)
    await rm(`${path}.lock`)
    expect((await attempt)?.moved).toHaveLength(Object.keys(DEPRECATED_KEYS).length)
  })

  test('is rewritten with every successor, and the old one is kept byte for byte with its mode', async () => {
    const before = oldFile()
    await writeFile(path, before)
    await chmod(path, 0o660)
    const old = await loadConfig({ environment: {}, cwd: directory, home: directory })
    const migration = await migrateConfigFile(path, { clock })
    expect(migration).toEqual({ moved: Object.keys(DEPRECATED_KEYS), backup: `${path}.bk.1700000000` })
    expect(await readFile(`${path}.bk.1700000000`, 'utf8')).toBe(before)
    for (const file of [path, `${path}.bk.1700000000`]) expect((await stat(file)).mode & 0o777).toBe(0o660)
    const now = await loadConfig({ environment: {}, cwd: directory, home: directory })
    expect(old.warnings).toHaveLength(Object.keys(DEPRECATED_KEYS).length)
    expect(now.warnings).toEqual([])
    expect(now.config).toEqual(old.config)
    expect(await migrateConfigFile(path, { clock })).toBeUndefined()
    expect((await readdir(directory)).sort()).toEqual(['dms_config.json', 'dms_config.json.bk.1700000000'])
  })

  test('keeps the new key where both are there', async () => {
    await writeFile(path, '{"observability":{"log_level":"WARN","logging":{"level":"ERROR"}}}')
    await migrateConfigFile(path, { clock })
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ observability: { logging: { level: 'ERROR' } } })
  })

  test('never loses an older copy of the same second', async () => {
    for (const level of ['WARN', 'ERROR']) {
      await writeFile(path, JSON.stringify({ observability: { log_level: level } }))
      await migrateConfigFile(path, { clock })
    }
    expect(await readFile(`${path}.bk.1700000000`, 'utf8')).toContain('WARN')
    expect(await readFile(`${path}.bk.1700000000-2`, 'utf8')).toContain('ERROR')
  })

  test('is migrated once by several at the same time', async () => {
    await writeFile(path, oldFile())
    const done = await Promise.all([1, 2, 3].map(() => migrateConfigFile(path, { clock })))
    expect(done.filter((migration) => migration !== undefined)).toHaveLength(1)
    expect((await readdir(directory)).filter((name) => name.includes('.bk.'))).toHaveLength(1)
  })

  test('is migrated by a change of any key', async () => {
    await writeFile(path, '{"observability":{"log_level":"WARN"}}')
    const change = await setConfigValue({ path, key: 'rest.port', text: '1', clock })
    expect(change.migration).toEqual({ moved: ['observability.log_level'], backup: `${path}.bk.1700000000` })
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      observability: { logging: { level: 'WARN' } },
      rest: { port: 1 }
    })
  })

  test('loses a deprecated key that is taken out', async () => {
    await writeFile(path, '{"observability":{"log_level":"WARN"}}')
    expect(await unsetConfigValue({ path, key: 'observability.log_level', clock })).toMatchObject({
      key: 'observability.logging.level',
      removed: true
    })
    expect(await readFile(path, 'utf8')).toBe('{}\n')
  })
})

test('a file without deprecated keys, or none, is left alone and needs no lock', async () => {
  expect(await migrateConfigFile(path, { clock })).toBeUndefined()
  await writeFile(path, '{ "observability": {} }')
  expect(await tryToMigrate(path, { clock })).toEqual({})
  expect(await readFile(path, 'utf8')).toBe('{ "observability": {} }')
  expect(await readdir(directory)).toEqual(['dms_config.json'])
})
