import { chmod, chown, link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, millis } from '../base/index.ts'
import { FileExistsError, FileFailedError, FileRefusedError } from './errors.ts'
import { backupFile, listFiles, readPrivateFile, removeStaleFiles, rewriteFile, writePrivateFile } from './files.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dms-files-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

function clockAt(now: number): Clock {
  return { now: () => millis(now), sleep: () => Promise.resolve() }
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o7777
}

describe('readPrivateFile', () => {
  test('refuses a file over one mebibyte', async () => {
    const path = join(directory, 'large')
    await writeFile(path, 'x'.repeat(2 ** 20 + 1))
    await expect(readPrivateFile(path)).rejects.toThrow(FileRefusedError)
    await expect(readPrivateFile(path)).rejects.toThrow('1048576')
  })

  test('refuses a directory, a device and bytes that are not UTF-8', async () => {
    await expect(readPrivateFile(directory)).rejects.toThrow('not a regular file')
    await expect(readPrivateFile('/dev/zero')).rejects.toThrow('not a regular file')
    const path = join(directory, 'binary')
    await writeFile(path, Uint8Array.of(0x61, 0xff))
    await expect(readPrivateFile(path)).rejects.toThrow('not UTF-8')
  })

  test('is undefined for a file that is not there', async () => {
    expect(await readPrivateFile(join(directory, 'no', 'such'))).toBeUndefined()
    await writeFile(join(directory, 'file'), '')
    expect(await readPrivateFile(join(directory, 'file', 'below'))).toBeUndefined()
  })

  test('reads exactly one mebibyte, an empty file and text with a byte order mark', async () => {
    const path = join(directory, 'file')
    for (const text of ['x'.repeat(2 ** 20), '', '\ufeffé']) {
      await writeFile(path, text)
      expect(await readPrivateFile(path)).toBe(text)
    }
  })
})

describe('writePrivateFile', () => {
  test('does not replace an existing file when told so, and leaves nothing behind', async () => {
    const path = join(directory, 'key.json')
    await writePrivateFile(path, 'first', { overwrite: false })
    const second = writePrivateFile(path, 'second', { overwrite: false })
    await expect(second).rejects.toThrow(FileExistsError)
    await expect(second).rejects.toMatchObject({ code: 'DB_FILE_EXISTS', kind: 'conflict' })
    expect(await readFile(path, 'utf8')).toBe('first')
    expect(await readdir(directory)).toEqual(['key.json'])
  })

  test('lets exactly one of several concurrent writers create the file', async () => {
    const path = join(directory, 'key.json')
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => writePrivateFile(path, `${index}`, { overwrite: false }))
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await readdir(directory)).toEqual(['key.json'])
  })

  test('leaves no temporary file and the old text when the write fails', async () => {
    await mkdir(join(directory, 'taken', 'x'), { recursive: true })
    await expect(writePrivateFile(join(directory, 'taken'), 'text')).rejects.toThrow(FileFailedError)
    expect(await readdir(directory)).toEqual(['taken'])
  })

  test('reports a parent that is a file', async () => {
    await writeFile(join(directory, 'file'), '')
    await expect(writePrivateFile(join(directory, 'file', 'key.json'), 'text')).rejects.toThrow('a file has that name')
  })

  test('creates the file with mode 0600 and missing directories with mode 0700', async () => {
    const path = join(directory, 'user', 'key', 'dms.json')
    await writePrivateFile(path, 'text')
    expect(await readFile(path, 'utf8')).toBe('text')
    expect(await modeOf(path)).toBe(0o600)
    expect(await modeOf(join(directory, 'user'))).toBe(0o700)
    expect(await modeOf(join(directory, 'user', 'key'))).toBe(0o700)
  })

  test('replaces by rename, so that another name of the old file keeps the old text', async () => {
    const path = join(directory, 'dms.cap')
    await writePrivateFile(path, 'old')
    await link(path, join(directory, 'other'))
    await writePrivateFile(path, 'new', { mode: 0o640 })
    expect(await readFile(path, 'utf8')).toBe('new')
    expect(await readFile(join(directory, 'other'), 'utf8')).toBe('old')
    expect(await modeOf(path)).toBe(0o640)
  })
})

describe('rewriteFile', () => {
  test('keeps the mode of the file and follows a symbolic link', async () => {
    const path = join(directory, 'dms_config.json')
    await writeFile(path, 'old')
    await chmod(path, 0o660)
    await symlink(path, join(directory, 'link'))
    await rewriteFile(join(directory, 'link'), 'new')
    expect(await readFile(path, 'utf8')).toBe('new')
    expect(await modeOf(path)).toBe(0o660)
    expect((await readdir(directory)).sort()).toEqual(['dms_config.json', 'link'])
  })

  test.skipIf(process.getuid?.() !== 0)('keeps the owner and group of the file', async () => {
    const path = join(directory, 'dms_config.json')
    await writeFile(path, 'old')
    await chown(path, 1234, 5678)
    await rewriteFile(path, 'new')
    expect(await stat(path)).toMatchObject({ uid: 1234, gid: 5678 })
  })

  test('creates a missing file as a private one', async () => {
    const path = join(directory, 'a', 'dms_config.json')
    await rewriteFile(path, 'new')
    expect(await modeOf(path)).toBe(0o600)
  })
})

describe('backupFile', () => {
  test('has nothing to copy when the file is missing', async () => {
    expect(await backupFile(join(directory, 'dms.cap'))).toBeUndefined()
  })

  test('names the copy after the second and counts on when the name is taken', async () => {
    const path = join(directory, 'dms.cap')
    await writePrivateFile(path, 'one')
    expect(await backupFile(path, { clock: clockAt(1_700_000_000_999) })).toBe(`${path}.1700000000`)
    await writePrivateFile(path, 'two')
    expect(await backupFile(path, { clock: clockAt(1_700_000_000_999) })).toBe(`${path}.1700000000-2`)
    expect(await readFile(`${path}.1700000000`, 'utf8')).toBe('one')
    expect(await readFile(`${path}.1700000000-2`, 'utf8')).toBe('two')
    expect(await modeOf(`${path}.1700000000-2`)).toBe(0o600)
  })

  test('keeps the newest ten copies and touches no other file', async () => {
    const path = join(directory, 'dms.cap')
    await writePrivateFile(path, 'text')
    await writeFile(`${path}.old`, '')
    await writeFile(join(directory, 'dms.cap2.1'), '')
    for (let second = 1; second <= 12; second += 1) await backupFile(path, { clock: clockAt(second * 1000) })
    const names = await readdir(directory)
    expect(names).toHaveLength(10 + 3)
    expect(names).not.toContain('dms.cap.2')
    expect(names).toContain('dms.cap.3')
    expect(names).toContain('dms.cap.12')
  })
})

describe('removeStaleFiles', () => {
  test('removes what a killed writer of this file left, and nothing of other files', async () => {
    const hex = '0123456789abcdef'
    const others = [
      'dms.cap',
      `.dms.cap.${hex}.bak`,
      '.dms.cap.12.tmp',
      `.dms.cap.cap.${hex}.tmp`,
      `.user.cap.${hex}.tmp`,
      'dms.cap.1700000000'
    ]
    const stale = [`.dms.cap.${hex}.tmp`, `.dms.cap.1700000000.${hex}.tmp`, `.dms.cap.1700000000-2.${hex}.tmp`]
    for (const name of [...others, ...stale]) await writeFile(join(directory, name), '')
    await removeStaleFiles(join(directory, 'dms.cap'))
    expect((await readdir(directory)).toSorted()).toEqual(others.toSorted())
  })

  test('says nothing when there is no directory', async () => {
    expect(await removeStaleFiles(join(directory, 'none', 'dms.cap'))).toBeUndefined()
  })
})

describe('listFiles', () => {
  test('is empty for a missing directory', async () => {
    expect(await listFiles(join(directory, 'key'), '.json')).toEqual([])
  })

  test('names files of the extension in order, without directories, copies and temporary files', async () => {
    for (const name of ['user.json', 'dms.json', '.json', '.hidden.json', 'dms.json.1700000000', 'dms.json.lock', 'other.cap']) {
      await writeFile(join(directory, name), '')
    }
    await mkdir(join(directory, 'folder.json'))
    expect(await listFiles(directory, '.json')).toEqual(['dms', 'user'])
  })
})
