import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Millis, millis } from '../base/index.ts'
import { contextOf, grantOf, inSeconds, keyOf, NOW } from './fixtures.ts'
import { createIssuedRecord } from './issued.ts'
import { encodeToken } from './token.ts'

const issuer = contextOf(1)
let directory: string
let now: Millis
beforeEach(async () => {
  now = NOW
  directory = await mkdtemp(join(tmpdir(), 'ucan-issued-'))
})
afterEach(() => rm(directory, { recursive: true }))

const path = (): string => join(directory, 'cap', 'user.issued.jsonl')
const record = () => createIssuedRecord({ path: path(), clock: { now: () => now, sleep: () => Promise.resolve() } })

describe('the record of issued tokens', () => {
  test('is empty without a file, and leaves out lines that cannot be read', async () => {
    expect(await record().list()).toEqual([])
    await record().add([await grantOf(issuer, { subject: keyOf(2).did })])
    const [line = ''] = (await readFile(path(), 'utf8')).split('\n')
    await writeFile(
      path(),
      `null\n{"sub":1}\n${line.slice(0, 40)}\n${line.replace('"cap":["/test"]', '"cap":[1]')}\n${line.replace(/"exp":\d+/, '"exp":99999999999999999999')}\n${line}\n`
    )
    expect(await record().list()).toHaveLength(1)
  })

  test('gives back what makes the same revocation as the token itself', async () => {
    const token = await grantOf(issuer, { subject: keyOf(2).did, topics: ['/t'], audience: keyOf(3).did })
    await record().add([token])
    const [entry] = await record().list()
    if (entry === undefined) throw new Error('nothing was recorded')
    expect(entry.issuedAt).toBe(NOW)
    expect(encodeToken(await issuer.revoke(entry.token))).toBe(encodeToken(await issuer.revoke(token)))
  })

  test('can be read by its owner only, and has no signature in it', async () => {
    await record().add([await grantOf(issuer, { subject: keyOf(2).did })])
    expect((await stat(path())).mode & 0o777).toBe(0o600)
    expect(await readFile(path(), 'utf8')).not.toContain('sig')
  })

  test('drops what has expired, and the oldest beyond its size', async () => {
    await record().add([await grantOf(issuer, { subject: keyOf(2).did, expiresAt: inSeconds(10) })])
    now = millis(NOW + 11_000)
    expect(await record().list()).toEqual([])
    const token = await grantOf(issuer, { subject: keyOf(2).did, capabilities: ['/a'.repeat(100)] })
    await record().add(Array.from({ length: 5000 }, () => token))
    expect((await stat(path())).size).toBeLessThan(2 ** 20)
    expect((await record().list()).length).toBeGreaterThan(1000)
  })
})
