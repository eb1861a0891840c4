import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bytes, type Clock, hours, millis } from '../base/index.ts'
import { createRotatingFile, type RotatingFile } from './rotating-file.ts'

let directory: string
let path: string
let now: number
let file: RotatingFile

const clock: Clock = { now: () => millis(now), sleep: () => Promise.resolve() }

function create(limits: { readonly maxBackups?: number; readonly maxAgeDays?: number } = {}): RotatingFile {
  return createRotatingFile({ path, clock, maxSize: bytes(10), maxBackups: 0, maxAgeDays: 0, ...limits })
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dms-log-'))
  path = join(directory, 'logs', 'dms.jsonl')
  now = Date.UTC(2025, 2, 1, 10, 20, 30, 400)
  file = create()
})

afterEach(async () => {
  file.close()
  await rm(directory, { recursive: true, force: true })
})

async function names(): Promise<readonly string[]> {
  return (await readdir(join(directory, 'logs'))).sort()
}

describe('a rotating file', () => {
  test('cannot be opened below a file', async () => {
    await writeFile(join(directory, 'logs'), '')
    expect(() => file.open()).toThrow()
  })

  test('is private to owner and group, and goes on where an earlier process stopped', async () => {
    file.open()
    file.write('one\n')
    file.close()
    file.close()
    const next = create()
    next.write('two\n')
    next.close()
    expect(await readFile(path, 'utf8')).toBe('one\ntwo\n')
    expect((await stat(path)).mode & 0o137).toBe(0)
  })

  test('is put aside by time when the next line would make it too large, never in the middle of a line', async () => {
    for (const line of ['12345\n', '1234\n', 'a line that is larger than the limit\n', 'x\n']) {
      file.write(line)
      now += 1000
    }
    expect(await names()).toEqual([
      'dms-2025-03-01T10-20-31.400.jsonl',
      'dms-2025-03-01T10-20-32.400.jsonl',
      'dms-2025-03-01T10-20-33.400.jsonl',
      'dms.jsonl'
    ])
    expect(await readFile(path, 'utf8')).toBe('x\n')
    expect(await readFile(join(directory, 'logs', 'dms-2025-03-01T10-20-31.400.jsonl'), 'utf8')).toBe('12345\n')
  })

  test('keeps every line when several files are put aside in the same millisecond', async () => {
    for (let count = 0; count < 4; count += 1) file.write(`line ${count} of 4\n`)
    const texts = await Promise.all((await names()).map((name) => readFile(join(directory, 'logs', name), 'utf8')))
    expect(texts.sort()).toEqual([0, 1, 2, 3].map((count) => `line ${count} of 4\n`))
  })

  test('keeps the newest files put aside and leaves other files alone', async () => {
    file = create({ maxBackups: 2 })
    file.open()
    await writeFile(join(directory, 'logs', 'dms-notes.jsonl'), '')
    await writeFile(join(directory, 'logs', 'other-2020-01-01T00-00-00.000.jsonl'), '')
    for (let count = 0; count < 5; count += 1) {
      file.write(`line ${count} of 5\n`)
      now += 1000
    }
    expect(await names()).toEqual([
      'dms-2025-03-01T10-20-33.400.jsonl',
      'dms-2025-03-01T10-20-34.400.jsonl',
      'dms-notes.jsonl',
      'dms.jsonl',
      'other-2020-01-01T00-00-00.000.jsonl'
    ])
  })

  test('removes files put aside too long ago when it is opened', async () => {
    file.write('the first line\n')
    file.write('the second line\n')
    file.close()
    now += hours(24 * 7) - 1
    create({ maxAgeDays: 7 }).open()
    expect(await names()).toHaveLength(2)
    now += 2
    file = create({ maxAgeDays: 7 })
    file.open()
    expect(await names()).toEqual(['dms.jsonl'])
  })
})
