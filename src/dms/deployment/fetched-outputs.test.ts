import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  fetchOutputs,
  giveUpOutputs,
  isFetched,
  type ListedOutput,
  type OutputSource,
  readFetched,
  readFetchedFile
} from './fetched-outputs.ts'

describe('outputs of a provider', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nunet-fetched-'))
  })

  afterEach(async () => {
    await rm(directory, { recursive: true })
  })

  const listed = (path: string, text: string): ListedOutput => ({
    path,
    size: text.length,
    sha256: createHash('sha256').update(text).digest('hex')
  })

  /** Gives three bytes at a time. */
  function source(files: Readonly<Record<string, string>>, more: Partial<OutputSource> = {}): OutputSource & { reads: number } {
    const names = Object.keys(files)
    const made = {
      reads: 0,
      list: () => Promise.resolve({ files: names.map((name) => listed(name, files[name] ?? '')), error: '', published: '' }),
      read: (index: number, offset: number) => {
        made.reads += 1
        return Promise.resolve(Buffer.from((files[names[index] ?? ''] ?? '').slice(offset, offset + 3)))
      },
      ...more
    }
    return made
  }

  test.each([
    [[listed('../evil', 'x')], 'no output that could be kept'],
    [[listed('/etc/passwd', 'x')], 'no output that could be kept'],
    [[listed('a\nb', 'x')], 'no output that could be kept'],
    [[{ ...listed('a', 'x'), sha256: 'short' }], 'no output that could be kept'],
    [[listed('a', 'x'), listed('a', 'y')], 'among the outputs twice'],
    [[listed('a', 'x'), listed('a/b', 'y')], 'among the outputs twice'],
    [[{ ...listed('a', 'x'), size: 101 }], 'the job has 100 bytes of disk']
  ])('that lists %j is not believed, and nothing is written', async (files, message) => {
    const hostile = source({}, { list: () => Promise.resolve({ files, error: '', published: '' }) })
    await expect(fetchOutputs(hostile, directory, 100)).rejects.toThrow(message)
    expect(await readdir(directory)).toEqual([])
  })

  test.each([
    ['nothing', '', 'has not the 3 bytes'],
    ['too much', 'onetwo', 'has not the 3 bytes'],
    ['something else', 'two', 'has another checksum']
  ])('that sends %s is not believed, and no file is at its place', async (_, text, message) => {
    const hostile = source({ a: 'one' }, { read: () => Promise.resolve(Buffer.from(text)) })
    await expect(fetchOutputs(hostile, directory, 100)).rejects.toThrow(message)
    expect(await isFetched(directory, listed('a', 'one'))).toBe(false)
    await fetchOutputs(source({ a: 'one' }), directory, 100)
    expect(await isFetched(directory, listed('a', 'one'))).toBe(true)
  })

  test('that goes on after a break comes to the rest, and is not asked again when all is here', async () => {
    const files = { a: 'one', 'deep/b': 'a longer text', empty: '' }
    const breaking = source(files)
    const whole = breaking.read.bind(breaking)
    breaking.read = (index, offset) => (breaking.reads === 3 ? Promise.reject(new Error('gone')) : whole(index, offset))
    await expect(fetchOutputs(breaking, directory, 100)).rejects.toThrow('gone')
    expect(await readFetched(directory)).toMatchObject({ isComplete: false })
    const rest = source(files)
    await fetchOutputs(rest, directory, 100)
    expect(rest.reads).toBe(3)
    expect(await readFile(join(directory, 'outputs/deep/b'), 'utf8')).toBe('a longer text')
    expect(await readFetched(directory)).toMatchObject({ isComplete: true })
    expect(Buffer.from(await readFetchedFile(directory, 'deep/b', 2, 6)).toString()).toBe('longer')
    await fetchOutputs(source(files, { list: () => Promise.reject(new Error('asked again')) }), directory, 100)
    await giveUpOutputs(directory, 'gone')
    expect(await readFetched(directory)).toMatchObject({ isComplete: true, error: '' })
  })

  test('that is gone leaves what was fetched, and the reason', async () => {
    const breaking = source({ a: 'one', b: 'two' }, {})
    const whole = breaking.read.bind(breaking)
    breaking.read = (index, offset) => (index === 1 ? Promise.reject(new Error('gone')) : whole(index, offset))
    await expect(fetchOutputs(breaking, directory, 100)).rejects.toThrow('gone')
    await giveUpOutputs(directory, 'the provider is gone')
    expect(await readFetched(directory)).toMatchObject({ error: 'the provider is gone', isComplete: false })
    expect(await isFetched(directory, listed('a', 'one'))).toBe(true)
    expect(await isFetched(directory, listed('b', 'two'))).toBe(false)
  })
})
