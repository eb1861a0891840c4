import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bytes, type JsonValue, mebibytes, silentLogger } from '../base/index.ts'
import { createOutputStore, createVolumes, type OutputPublisher, type OutputStore } from './index.ts'
import { createOutputVolumes } from './local/index.ts'

describe('the outputs of an ended job', () => {
  let place: string
  let source: string

  beforeEach(async () => {
    place = await realpath(await mkdtemp(join(tmpdir(), 'nunet-outputs-')))
    source = join(place, 'source')
    await mkdir(join(source, 'deep'), { recursive: true })
  })

  afterEach(async () => {
    await rm(place, { recursive: true })
  })

  const open = (limit = 1000, total = 1500): OutputStore =>
    createOutputStore({ directory: join(place, 'kept'), limit: bytes(limit), total: bytes(total) })
  const textOf = async (store: OutputStore, id: string, index: number): Promise<string> =>
    Buffer.from((await store.read(id, index, 0, 1000)).data).toString()

  test('are its files, by their place in the list and in pieces, also after a restart', async () => {
    await writeFile(join(source, 'a'), 'one')
    await writeFile(join(source, 'deep/b'), 'two')
    const { files } = await open().collect('job', source, {})
    expect(files.map(({ path, size }) => [path, size])).toEqual([
      ['a', 3],
      ['deep/b', 3]
    ])
    expect(await open().find('job')).toEqual({ files, error: '', published: '' })
    expect(await textOf(open(), 'job', 1)).toBe('two')
    expect(Buffer.from((await open().read('job', 1, 1, 1)).data).toString()).toBe('w')
    await expect(open().read('job', 2, 0, 10)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
    await expect(open().read('other', 0, 0, 10)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
  })

  test('are no links, no pipes, and no names that would lead elsewhere, which it says', async () => {
    await writeFile(join(place, 'secret'), 'secret')
    await writeFile(join(source, 'fine'), 'fine')
    await writeFile(join(source, 'line\nbreak'), 'x')
    await symlink(join(place, 'secret'), join(source, 'link'))
    await symlink(place, join(source, 'deep/directory'))
    execFileSync('mkfifo', [join(source, 'pipe')])
    const outputs = await open().collect('job', source, {})
    expect(outputs.files.map(({ path }) => path)).toEqual(['fine'])
    expect(outputs.error).toContain('4 links, devices and names')
  })

  test('that are more than one job, or all jobs, may leave are cut at a file, which it says', async () => {
    for (const name of ['a', 'b']) await writeFile(join(source, name), Buffer.alloc(600))
    const outputs = await open().collect('job', source, {})
    expect([outputs.files.length, outputs.error]).toEqual([1, 'b: has 600 bytes, and 400 are left for outputs'])
    await open().collect('second', source, {})
    const third = await open().collect('third', source, {})
    expect([third.files.length, third.error]).toEqual([0, 'a: has 600 bytes, and 300 are left for outputs'])
    await open().drop('job')
    expect((await open().collect('fourth', source, {})).files.length).toBe(1)
  })

  test('are collected anew when that was cut off, and never again once it was done', async () => {
    await writeFile(join(source, 'a'), 'one')
    const cut = new AbortController()
    cut.abort()
    await expect(open().collect('job', source, { signal: cut.signal })).rejects.toMatchObject({ kind: 'cancelled' })
    expect(await open().find('job')).toBeUndefined()
    await open().collect('job', source, {})
    await writeFile(join(source, 'a'), 'other')
    await open().collect('job', source, {})
    expect(await textOf(open(), 'job', 0)).toBe('one')
  })

  test('are published once, or say why not; a job without them leaves nothing', async () => {
    const sent: string[] = []
    const publisher: OutputPublisher = {
      kind: 'shelf',
      check: () => undefined,
      publish: ({ files }) => {
        sent.push(...files.map(({ path }) => path))
        return sent.length > 1
          ? Promise.reject(new Error('no shelf'))
          : Promise.resolve({ location: 'shelf', files: 1, size: bytes(1) })
      }
    }
    const outputs = open()
    const volumes = createVolumes({
      providers: [
        createOutputVolumes({ publishers: [publisher], limit: mebibytes(1), enforcement: 'measured', log: silentLogger })
      ],
      publishers: [publisher],
      directory: join(place, 'jobs'),
      outputs
    })
    const job = (id: string, ...list: readonly JsonValue[]) => ({
      id,
      owner: 'did:key:alice',
      volumes: list,
      limit: mebibytes(1)
    })
    const wanted = { type: 'outputs', mount_destination: '/outputs', publish: { type: 'shelf' } }
    expect(() => volumes.check([wanted, { ...wanted, mount_destination: '/more' }])).toThrow(
      'volume.1.type: a job has one directory'
    )
    expect(() => volumes.check([{ ...wanted, publish: { type: 'tape' } }])).toThrow('volume.0.publish.type: must be one of shelf')
    for (const id of ['one', 'two']) {
      const [mount] = await volumes.prepare(job(id, wanted))
      await writeFile(join(mount?.source ?? '', id), id)
      await volumes.collect(job(id, wanted))
      await volumes.collect(job(id, wanted))
      await volumes.release(id)
    }
    expect(sent).toEqual(['one', 'two'])
    expect(await outputs.find('one')).toMatchObject({ published: 'shelf', error: '' })
    expect(await outputs.find('two')).toMatchObject({ published: '', error: 'not published: no shelf' })
    await volumes.collect(job('none'))
    expect(await outputs.find('none')).toBeUndefined()
    await volumes.sweep((id) => id === 'two')
    expect(await outputs.ids()).toEqual(['two'])
    expect(await readdir(join(place, 'jobs'))).toEqual([])
  })
})
