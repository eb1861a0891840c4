import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, realpath, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type JsonValue, mebibytes, silentLogger } from '../../base/index.ts'
import { requirement, volumeProviderCompliance } from '../../testing/index.ts'
import type { VolumeProvider, VolumeRequest } from '../index.ts'
import { unmount } from '../tools.ts'
import { canMakeImages } from './image.ts'
import { type AllowedPath, createLocalVolumes } from './index.ts'

const run = promisify(execFile)
const QUOTAS = { volume: mebibytes(16), perOwner: mebibytes(48), total: mebibytes(64) }

interface Shape {
  readonly hostPaths?: readonly AllowedPath[]
  readonly hidden?: readonly string[]
  readonly enforcement?: 'auto' | 'measured'
}

function open(directory: string, { hostPaths = [], hidden = [], enforcement = 'measured' }: Shape = {}): VolumeProvider {
  return createLocalVolumes({ directory, hostPaths, hidden, quotas: QUOTAS, enforcement, log: silentLogger })
}

const images = await requirement('loop', async () =>
  (await canMakeImages()) ? { available: true } : { available: false, reason: 'no root, no loop devices or no mkfs.ext4' }
)

async function fixture(enforcement: 'auto' | 'measured') {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'nunet-local-')))
  let count = 0
  return {
    provider: open(directory, { enforcement }),
    spec() {
      count += 1
      return { src: `data-${count}` }
    },
    invalid: () => ({ spec: { src: '../other' }, field: 'src' }),
    reopen: () => open(directory, { enforcement }),
    dispose: () => rm(directory, { recursive: true })
  }
}

describe('the compliance of measured volumes', () => {
  volumeProviderCompliance({ test, create: () => fixture('measured') })
})

describe.skipIf(!images.available)(images.title('the compliance of volumes with file systems of their own'), () => {
  volumeProviderCompliance({ test, create: () => fixture('auto') })
})

describe('local volumes', () => {
  let place: string
  let requests: VolumeRequest[]
  const named = (): string => join(place, 'named')

  beforeEach(async () => {
    place = await realpath(await mkdtemp(join(tmpdir(), 'nunet-local-')))
    requests = []
  })

  afterEach(async () => {
    for (const request of requests) await open(named()).release(request)
    await rm(place, { recursive: true })
  })

  async function request(spec: JsonValue, owner = 'did:key:alice'): Promise<VolumeRequest> {
    const directory = join(place, `job-${requests.length}`)
    await mkdir(directory, { mode: 0o700 })
    const made = { id: `job-${requests.length}.0`, owner, directory, spec, isReadOnly: false, limit: mebibytes(64) }
    requests.push(made)
    return made
  }

  test.each(['../etc', '..', '.hidden', 'a/b', 'x'.repeat(65), '/srv/../etc', '/srv//x', '/', 'a\nb', ''])(
    'the source %j is refused by name',
    (src) => {
      expect(() => open(named()).check({ src })).toThrow(/^src: /)
    }
  )

  test.each([
    { src: 'x', sise: 1 },
    { src: 'x', size: 1.5 },
    { src: 'x', size: '16MiB' },
    { src: '/srv', size: 2 ** 30 },
    'x',
    null
  ])('the description %j is refused', (spec) => {
    expect(() => open(named()).check(spec)).toThrow(expect.objectContaining({ code: 'STORAGE_BAD_SPEC' }))
  })

  test('a path of the machine is refused without an allow-list, the same whether it exists or not', async () => {
    const provider = open(named())
    for (const src of ['/etc', '/no/such/place']) {
      await expect(provider.prepare(await request({ src }))).rejects.toThrow(
        `src: the owner of this machine does not give ${src} to jobs`
      )
    }
  })

  test('a link below an allowed path does not lead out of it', async () => {
    await mkdir(join(place, 'shared'))
    await symlink('/etc', join(place, 'shared', 'link'))
    const provider = open(named(), { hostPaths: [{ path: join(place, 'shared') }] })
    await expect(provider.prepare(await request({ src: join(place, 'shared', 'link') }))).rejects.toMatchObject({
      code: 'STORAGE_NOT_PERMITTED'
    })
  })

  test('a neighbour whose name only begins like an allowed path is refused', async () => {
    await mkdir(join(place, 'shared'))
    await mkdir(join(place, 'shared-not'))
    const provider = open(named(), { hostPaths: [{ path: join(place, 'shared') }] })
    await expect(provider.prepare(await request({ src: join(place, 'shared-not') }))).rejects.toMatchObject({
      code: 'STORAGE_NOT_PERMITTED'
    })
  })

  test('directories of the daemon are not given away, nor what holds them', async () => {
    await mkdir(join(place, 'shared', 'keys', 'deep'), { recursive: true })
    const provider = open(named(), { hostPaths: [{ path: join(place, 'shared') }], hidden: [join(place, 'shared', 'keys')] })
    for (const src of [join(place, 'shared'), join(place, 'shared', 'keys'), join(place, 'shared', 'keys', 'deep')]) {
      await expect(provider.prepare(await request({ src }))).rejects.toMatchObject({ code: 'STORAGE_NOT_PERMITTED' })
    }
  })

  test('a path that is allowed to one DID is refused to another', async () => {
    await mkdir(join(place, 'shared'))
    const provider = open(named(), { hostPaths: [{ path: join(place, 'shared'), did: 'did:key:alice' }] })
    await expect(provider.prepare(await request({ src: join(place, 'shared') }, 'did:key:mallory'))).rejects.toMatchObject({
      code: 'STORAGE_NOT_PERMITTED'
    })
    await provider.prepare(await request({ src: join(place, 'shared') }, 'did:key:alice'))
  })

  test('an allowed path is given, stays what was checked, and survives the release', async () => {
    const shared = join(place, 'shared')
    await mkdir(join(shared, 'models'), { recursive: true })
    await writeFile(join(shared, 'models', 'weights'), 'w')
    const provider = open(named(), { hostPaths: [{ path: shared }] })
    const wanted = await request({ src: join(shared, 'models') })
    const { source } = await provider.prepare(wanted)
    if (process.getuid?.() === 0) {
      await rename(join(shared, 'models'), join(shared, 'moved'))
      await symlink('/etc', join(shared, 'models'))
      expect(await readFile(join(source, 'weights'), 'utf8')).toBe('w')
      await rm(join(shared, 'models'))
      await rename(join(shared, 'moved'), join(shared, 'models'))
    }
    expect(await readFile(join(source, 'weights'), 'utf8')).toBe('w')
    await provider.release(wanted)
    expect(await readFile(join(shared, 'models', 'weights'), 'utf8')).toBe('w')
  })

  test('a named volume keeps its data from job to job of one owner, and nobody else sees it', async () => {
    const provider = open(named())
    const first = await request({ src: 'results' })
    const { source } = await provider.prepare(first)
    await writeFile(join(source, 'file'), 'kept')
    await provider.release(first)
    const again = await open(named()).prepare(await request({ src: 'results' }))
    expect(await readFile(join(again.source, 'file'), 'utf8')).toBe('kept')
    const other = await provider.prepare(await request({ src: 'results' }, 'did:key:bob'))
    expect(other.source).not.toBe(again.source)
    await expect(stat(join(other.source, 'file'))).rejects.toThrow('ENOENT')
  })

  test('the promised sizes of one owner, and of all, are bounded', async () => {
    const provider = open(named())
    await provider.prepare(await request({ src: 'a', size: mebibytes(32) }))
    await expect(provider.prepare(await request({ src: 'b', size: mebibytes(32) }))).rejects.toThrow('storage.owner_quota')
    await provider.prepare(await request({ src: 'a' }, 'did:key:bob'))
    await expect(provider.prepare(await request({ src: 'b', size: mebibytes(32) }, 'did:key:bob'))).rejects.toThrow(
      'storage.total_quota'
    )
    expect(await provider.list()).toHaveLength(2)
  })

  test('another size for a volume that exists is refused', async () => {
    const provider = open(named())
    await provider.prepare(await request({ src: 'a', size: mebibytes(16) }))
    await expect(provider.prepare(await request({ src: 'a', size: mebibytes(17) }))).rejects.toThrow(/^size: the volume a has/)
  })

  test('a measured volume that holds too much is not given to another job', async () => {
    const provider = open(named())
    const { source } = await provider.prepare(await request({ src: 'a' }))
    await writeFile(join(source, 'big'), Buffer.alloc(mebibytes(17), 1))
    await expect(provider.prepare(await request({ src: 'a' }))).rejects.toMatchObject({ code: 'STORAGE_QUOTA' })
  })

  test('the removal of a volume does not follow the links in it', async () => {
    await writeFile(join(place, 'precious'), 'p')
    const provider = open(named())
    const wanted = await request({ src: 'a' })
    const { source } = await provider.prepare(wanted)
    await symlink(place, join(source, 'link'))
    await provider.release(wanted)
    expect(await provider.remove({ owner: 'did:key:alice', name: 'a' })).toBe(true)
    expect(await readFile(join(place, 'precious'), 'utf8')).toBe('p')
  })

  describe.skipIf(!images.available)(images.title('with a file system of its own'), () => {
    test('a job cannot write more than the size', async () => {
      const provider = open(named(), { enforcement: 'auto' })
      const { source } = await provider.prepare(await request({ src: 'a', size: mebibytes(16) }))
      await expect(writeFile(join(source, 'big'), Buffer.alloc(mebibytes(20), 1))).rejects.toThrow('ENOSPC')
      expect((await run('findmnt', ['-n', '-o', 'OPTIONS', source])).stdout).toMatch(/nosuid,nodev/)
    })

    test('two jobs share it, and it is unmounted after the last', async () => {
      const provider = open(named(), { enforcement: 'auto' })
      const [one, two] = [await request({ src: 'a' }), await request({ src: 'a' })]
      const { source } = await provider.prepare(one)
      expect((await provider.prepare(two)).source).toBe(source)
      await provider.release(one)
      await writeFile(join(source, 'file'), 'x')
      await provider.release(two)
      await expect(stat(join(source, 'file'))).rejects.toThrow('ENOENT')
    })

    test('a restart of the machine in the middle of a job is survived', async () => {
      const wanted = await request({ src: 'a' })
      const { source } = await open(named(), { enforcement: 'auto' }).prepare(wanted)
      await writeFile(join(source, 'file'), 'kept')
      await unmount(source)
      await open(named(), { enforcement: 'auto' }).prepare(wanted)
      expect(await readFile(join(source, 'file'), 'utf8')).toBe('kept')
    })

    test('an image that was cut off while it was made is made anew', async () => {
      const provider = open(named(), { enforcement: 'auto' })
      const wanted = await request({ src: 'a' })
      const { source } = await provider.prepare(wanted)
      await provider.release(wanted)
      await rename(join(source, '..', 'image.ext4'), join(source, '..', 'image.tmp'))
      await provider.prepare(wanted)
      await writeFile(join(source, 'file'), 'x')
    })
  })
})
