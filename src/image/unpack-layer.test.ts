import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import koffi from 'koffi'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digestOf, type LayerFile, makeArchive } from '../testing/index.ts'
import { type LayerJob, unpackLayer } from './unpack-layer.ts'

let directory: string
let target: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nunet-layer-'))
  target = join(directory, 'target')
  await mkdir(target)
})

afterEach(() => rm(directory, { recursive: true, force: true }))

async function jobOf(archive: Buffer, options: Partial<LayerJob> = {}): Promise<LayerJob> {
  const blob = join(directory, 'blob')
  await writeFile(blob, options.compression === 'gzip' ? gzipSync(archive) : archive)
  return { blob, compression: 'none', target, diffId: digestOf(archive), maxBytes: 1_000_000, maxFiles: 100, ...options }
}

async function unpack(files: readonly LayerFile[], options: Partial<LayerJob> = {}) {
  return await unpackLayer(await jobOf(await makeArchive(files), options))
}

describe('a hostile layer', () => {
  test.each(['../escape', 'a/../../escape', '/../escape', '/etc/absolute'])('with the path %s is refused', async (name) => {
    await expect(unpack([{ name, content: 'x' }])).rejects.toMatchObject({ code: 'IMAGE_REFUSED' })
    expect(await readdir(directory)).toEqual(['blob', 'target'])
  })

  test.each([
    ['absolute', '/'],
    ['relative', '../../../../../../../..']
  ])('with an %s link that leads out writes inside all the same', async (_kind, linkname) => {
    const path = directory.slice(1)
    await unpack([
      { name: 'out', type: 'symlink', linkname },
      { name: `out/${path}/planted`, content: 'x' }
    ])
    expect(await readdir(directory)).toEqual(['blob', 'target'])
    expect(await readFile(join(target, path, 'planted'), 'utf8')).toBe('x')
    expect(await readlink(join(target, 'out'))).toBe(linkname)
  })

  test('that writes through a link to a file replaces the link', async () => {
    const victim = join(directory, 'victim')
    await writeFile(victim, 'mine')
    await unpack([
      { name: 'link', type: 'symlink', linkname: victim },
      { name: 'link', content: 'theirs' }
    ])
    expect(await readFile(victim, 'utf8')).toBe('mine')
    expect(await readFile(join(target, 'link'), 'utf8')).toBe('theirs')
  })

  test.each([['/etc/passwd'], ['../../../../etc/passwd'], ['missing']])('with a hard link to %s is refused', async (linkname) => {
    await expect(unpack([{ name: 'hard', type: 'link', linkname }])).rejects.toMatchObject({ code: 'IMAGE_REFUSED' })
  })

  test('with a hard link through a link that leads out is refused', async () => {
    await writeFile(join(directory, 'victim'), 'mine')
    const files: readonly LayerFile[] = [
      { name: 'out', type: 'symlink', linkname: directory },
      { name: 'hard', type: 'link', linkname: 'out/victim' }
    ]
    await expect(unpack(files)).rejects.toMatchObject({ code: 'IMAGE_REFUSED' })
  })

  test('with links in a circle is refused', async () => {
    const files: readonly LayerFile[] = [
      { name: 'a', type: 'symlink', linkname: 'b' },
      { name: 'b', type: 'symlink', linkname: 'a' },
      { name: 'a/file', content: 'x' }
    ]
    await expect(unpack(files)).rejects.toThrow('lead in a circle')
  })

  test('with a whiteout that leads out is refused', async () => {
    for (const name of ['.wh..', '.wh...', '.wh.']) {
      await expect(unpack([{ name, content: '' }])).rejects.toMatchObject({ code: 'IMAGE_REFUSED' })
    }
  })

  test('with devices and pipes gets none of them', async () => {
    const summary = await unpack([
      { name: 'sda', type: 'block-device', devmajor: 8, devminor: 0 },
      { name: 'mem', type: 'character-device', devmajor: 1, devminor: 1 },
      { name: 'pipe', type: 'fifo' }
    ])
    expect(summary.skipped).toBe(3)
    expect(await readdir(target)).toEqual([])
  })

  test('with too many files, too many bytes, too long or too deep names is refused', async () => {
    const many = Array.from({ length: 11 }, (_, index) => ({ name: `f${index}`, content: '' }))
    await expect(unpack(many, { maxFiles: 10 })).rejects.toThrow('more than 10 files')
    await expect(unpack([{ name: 'large', content: 'x'.repeat(101) }], { maxBytes: 100 })).rejects.toThrow('more than 100 bytes')
    await expect(unpack([{ name: `${'n'.repeat(256)}`, content: '' }])).rejects.toThrow('too long a path')
    await expect(unpack([{ name: `${'d/'.repeat(200)}f`, content: '' }])).rejects.toThrow('too long a path')
  })

  test('that is a bomb outside of its files is refused', async () => {
    const bomb = Buffer.concat([await makeArchive([{ name: 'a', content: 'a' }]), Buffer.alloc(4_000_000)])
    await expect(unpackLayer(await jobOf(bomb, { compression: 'gzip' }))).rejects.toThrow('unpacks to more than')
  })

  test('that is damaged, or not what its digest names, is refused', async () => {
    const archive = await makeArchive([{ name: 'a', content: 'a'.repeat(5000) }])
    const job = await jobOf(archive, { compression: 'gzip' })
    await writeFile(job.blob, gzipSync(archive).subarray(0, 40))
    await expect(unpackLayer(job)).rejects.toMatchObject({ code: 'IMAGE_REFUSED' })
    await writeFile(job.blob, 'no archive at all')
    await expect(unpackLayer({ ...job, compression: 'none' })).rejects.toMatchObject({ code: 'IMAGE_REFUSED' })
    await expect(unpackLayer(await jobOf(archive, { diffId: digestOf(Buffer.from('x')) }))).rejects.toMatchObject({
      code: 'IMAGE_REFUSED'
    })
  })
})

describe('a layer', () => {
  test('packed with gzip keeps modes, times, owners and links', async () => {
    await unpack(
      [
        { name: './', type: 'directory', mode: 0o755 },
        { name: './tmp/', type: 'directory', mode: 0o1777 },
        { name: './bin/su', content: 'su', mode: 0o4755, uid: 5, gid: 6, mtime: new Date(1_000_000_000_000) },
        { name: './bin/sudo', type: 'link', linkname: './bin/su' },
        { name: './sh', type: 'symlink', linkname: 'bin/su' }
      ],
      { compression: 'gzip' }
    )
    const found = await lstat(join(target, 'bin/su'))
    expect(found.mode & 0o7777).toBe(0o4755)
    expect(found.mtimeMs).toBe(1_000_000_000_000)
    expect(found.nlink).toBe(2)
    if (process.getuid?.() === 0) expect([found.uid, found.gid]).toEqual([5, 6])
    expect((await lstat(join(target, 'tmp'))).mode & 0o7777).toBe(0o1777)
    expect(await readlink(join(target, 'sh'))).toBe('bin/su')
  })

  test('packed with zstd is unpacked', async () => {
    const archive = await makeArchive([{ name: 'a', content: 'text'.repeat(100) }])
    const job = await jobOf(archive, { compression: 'zstd' })
    await writeFile(job.blob, toZstd(archive))
    await unpackLayer(job)
    expect(await readFile(join(target, 'a'), 'utf8')).toBe('text'.repeat(100))
  })

  test('that removes files and hides directories says so as overlayfs wants it', async () => {
    await unpack([
      { name: 'etc/', type: 'directory' },
      { name: 'etc/.wh.gone', content: '' },
      { name: 'var/', type: 'directory' },
      { name: 'var/.wh..wh..opq', content: '' },
      { name: '.wh..wh.plnk', content: '' }
    ])
    expect(await readdir(target)).toEqual(['etc', 'var'])
    const whiteout = await lstat(join(target, 'etc/gone'))
    expect(whiteout.isCharacterDevice()).toBe(true)
    expect(whiteout.rdev).toBe(0)
    expect(attributeOf(join(target, 'var'))).toBe('y')
  })
})

/** One frame of raw blocks: enough for what reads it, whatever packs it. */
function toZstd(content: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUInt32LE(0xfd2fb528, 0)
  head.writeUInt8(0b1010_0000, 4) // single segment, size in four bytes
  head.writeUInt32LE(content.length, 5)
  const block = Buffer.alloc(3)
  block.writeUIntLE((content.length << 3) | 1, 0, 3)
  return Buffer.concat([head, block, content])
}

function attributeOf(path: string): string {
  const name = process.getuid?.() === 0 ? 'trusted.overlay.opaque' : 'user.overlay.opaque'
  const read = koffi.load(null).func('long lgetxattr(const char *path, const char *name, void *value, size_t size)')
  const value = Buffer.alloc(16)
  return value.toString('utf8', 0, Number(read(path, name, value, value.length)))
}
