import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type SavedFile, saveFile } from './save-file.ts'

describe('a file that comes in pieces', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cmd-save-'))
  })

  afterEach(async () => {
    await rm(directory, { recursive: true })
  })

  const file = (
    text: string,
    read = (offset: number) => Promise.resolve(Buffer.from(text.slice(offset, offset + 4)))
  ): SavedFile => ({
    path: join(directory, 'deep/file'),
    size: text.length,
    sha256: createHash('sha256').update(text).digest('hex'),
    read
  })

  test.each(['', 'longer than it said', 'other text'])('and is %j instead is refused, and not at its place', async (wrong) => {
    await expect(saveFile(file('some text.', () => Promise.resolve(Buffer.from(wrong))))).rejects.toMatchObject({
      code: 'CLIENT_BAD_REPLY'
    })
    expect(await readdir(join(directory, 'deep'))).toEqual(['file.part'])
    expect(await saveFile(file('some text.'))).toBe(true)
  })

  test('replaces no other file', async () => {
    await saveFile(file('first'))
    await expect(saveFile(file('second'))).rejects.toMatchObject({ code: 'CMD_NOT_REPLACED' })
    expect(await readFile(join(directory, 'deep/file'), 'utf8')).toBe('first')
  })

  test('goes on where an interrupted command ended, and is not written twice', async () => {
    await saveFile(file('some text.'))
    await rm(join(directory, 'deep/file'))
    await writeFile(join(directory, 'deep/file.part'), 'some ')
    const asked: number[] = []
    const rest = file('some text.')
    const read = (offset: number): Promise<Uint8Array> => {
      asked.push(offset)
      return rest.read(offset)
    }
    await saveFile({ ...rest, read })
    expect(asked).toEqual([5, 9])
    expect(await readFile(join(directory, 'deep/file'), 'utf8')).toBe('some text.')
    expect(await saveFile(file('some text.'))).toBe(false)
    expect(await readdir(join(directory, 'deep'))).toEqual(['file'])
  })
})
