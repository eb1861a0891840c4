import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  bytes,
  createSecret,
  mebibytes,
  millis,
  minutes,
  seconds,
  silentLogger,
  systemClock,
  systemRandom
} from '../base/index.ts'
import {
  assemble,
  digestOf,
  type FakeRegistry,
  type Interference,
  type LayerFile,
  makeArchive,
  makeArtifact,
  makeImage,
  startFakeRegistry
} from '../testing/index.ts'
import { createImages, type ImageProgress, type Images, type ImagesOptions } from './index.ts'

const WASM = 'application/wasm'
let directory: string
let registry: FakeRegistry
let interference: Interference
let images: Images

function open(options: Partial<ImagesOptions> = {}): Images {
  return createImages({
    directory,
    rules: { allowedPrivate: [], insecure: [registry.host] },
    cacheSize: mebibytes(512),
    maxImageSize: mebibytes(128),
    stallLimit: seconds(10),
    pullLimit: minutes(2),
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    ...options
  })
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nunet-images-'))
  interference = () => false
  registry = await startFakeRegistry((request, response) => interference(request, response))
  images = open()
  await images.start()
})

afterEach(async () => {
  await images.stop()
  await registry.close()
  await rm(directory, { recursive: true, force: true })
})

const BASE: readonly LayerFile[] = [
  { name: 'etc/', type: 'directory', mode: 0o755 },
  { name: 'etc/hello', content: 'hello', mode: 0o640 },
  { name: 'etc/old', content: 'old' }
]
const CONFIG = { Entrypoint: ['/bin/run'], Cmd: ['now'], Env: ['A=1', 'nonsense'], WorkingDir: '/srv', User: '1000:1000' }

function name(reference = 'app:1'): string {
  return `${registry.host}/${reference}`
}

/** Everything below the store, apart from the empty directories that it always has. */
async function remains(): Promise<readonly string[]> {
  const all = await readdir(directory, { recursive: true, withFileTypes: true })
  return all.filter((entry) => !entry.isDirectory() || entry.parentPath.endsWith('layers')).map(({ name: found }) => found)
}

describe('an image', () => {
  test('that is not written as images are is refused before anything is asked', async () => {
    await expect(images.prepare('UPPER/case', { workloadId: 'w' })).rejects.toMatchObject({ code: 'IMAGE_BAD_REFERENCE' })
    expect(registry.requests).toHaveLength(0)
  })

  test('that the registry does not have is an error with its name, and leaves nothing', async () => {
    await expect(images.prepare(name(), { workloadId: 'w' })).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' })
    expect(await remains()).toEqual([])
  })

  test('is fetched, unpacked and described, top layer first', async () => {
    const made = await makeImage({ layers: [BASE, [{ name: 'srv/', type: 'directory' }]], config: CONFIG })
    registry.add('app:1', made)
    const prepared = await images.prepare(name(), { workloadId: 'w' })
    expect(prepared.digest).toBe(made.manifest.digest)
    expect(prepared.config).toEqual({
      entrypoint: ['/bin/run'],
      cmd: ['now'],
      environment: ['A=1'],
      workingDirectory: '/srv',
      user: '1000:1000'
    })
    const [top = '', bottom = ''] = prepared.lowerDirectories
    expect(await readdir(top)).toEqual(['srv'])
    expect(await readFile(join(bottom, 'etc/hello'), 'utf8')).toBe('hello')
    expect((await lstat(join(bottom, 'etc/hello'))).mode & 0o7777).toBe(0o640)
  })

  test('that is there already is not fetched again, nor by another name of the same layers', async () => {
    registry.add('app:1', await makeImage({ layers: [BASE], config: CONFIG }))
    registry.add('other:1', await makeImage({ layers: [BASE] }))
    await images.prepare(name(), { workloadId: 'a' })
    const before = registry.requests.length
    await images.prepare(name('other:1'), { workloadId: 'b' })
    await images.prepare(name(), { workloadId: 'c' })
    const layers = registry.requests.slice(before).filter(({ url = '' }) => url.includes('/blobs/'))
    expect(layers).toHaveLength(1) // the configuration of the other
  })

  test('by digest needs no registry once it is there', async () => {
    const made = await makeImage({ layers: [BASE] })
    registry.add('app:1', made)
    const first = await images.prepare(name(`app@${made.manifest.digest}`), { workloadId: 'a' })
    const before = registry.requests.length
    expect(await images.prepare(name(`app@${made.manifest.digest}`), { workloadId: 'b' })).toEqual(first)
    expect(registry.requests).toHaveLength(before)
  })

  test('for several platforms is that of this machine', async () => {
    const made = await makeImage({ layers: [BASE] })
    const platform = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch }
    const entry = { mediaType: made.manifest.mediaType, digest: made.manifest.digest, size: made.manifest.content.length }
    const mediaType = 'application/vnd.oci.image.index.v1+json'
    const wrong = { ...entry, digest: digestOf(Buffer.from('x')), platform: { os: 'linux', architecture: 's390x' } }
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: [wrong, { ...entry, platform }] }))
    registry.add('app:other', made)
    registry.add('app:1', { ...made, manifest: { mediaType, content: index, digest: digestOf(index) } })
    expect((await images.prepare(name(), { workloadId: 'w' })).digest).toBe(made.manifest.digest)
    const only = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: [wrong] }))
    registry.add('app:2', { ...made, manifest: { mediaType, content: only, digest: digestOf(only) } })
    await expect(images.prepare(name('app:2'), { workloadId: 'w' })).rejects.toThrow('only for linux/s390x')
  })

  test('tells how far it is', async () => {
    const seen: ImageProgress[] = []
    const made = await makeImage({ layers: [BASE] })
    registry.add('app:1', made)
    await images.prepare(name(), { workloadId: 'w', onProgress: (progress) => seen.push(progress) })
    const total = made.layers[0]?.content.length
    expect(seen.some(({ step, done }) => step === 'pull' && done > 0)).toBe(true)
    expect(seen.at(-1)).toEqual({ step: 'unpack', done: total, total })
  })
})

describe('a registry', () => {
  test('in a private network, on this machine, or that would be spoken to in the clear, is refused unless it is listed', async () => {
    await images.stop()
    images = open({ rules: { allowedPrivate: [], insecure: [] } })
    await images.start()
    for (const host of [registry.host, 'localhost:5000', '169.254.169.254', '[::1]:5000', '10.0.0.1']) {
      const pull = images.prepare(`${host}/app:1`, { workloadId: 'w' })
      await expect(pull).rejects.toMatchObject({ code: 'IMAGE_REGISTRY_REFUSED', kind: 'forbidden' })
    }
    expect(registry.requests).toHaveLength(0)
  })

  test('whose name leads to a private address is refused', async () => {
    await images.stop()
    images = open({
      rules: { allowedPrivate: [], insecure: [] },
      lookup: (_host, _options, callback) => callback(null, [{ address: '10.1.2.3', family: 4 }])
    })
    await images.start()
    const pull = images.prepare('registry.example/app:1', { workloadId: 'w' })
    await expect(pull).rejects.toThrow('registry.example (10.1.2.3) is not a public address')
  })

  test('that redirects to a metadata address is refused', async () => {
    registry.add('app:1', await makeImage({ layers: [BASE] }))
    interference = ({ url = '' }, response) => {
      if (!url.includes('/blobs/')) return false
      response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end()
      return true
    }
    await expect(images.prepare(name(), { workloadId: 'w' })).rejects.toMatchObject({ code: 'IMAGE_REGISTRY_REFUSED' })
    expect(await remains()).toEqual([])
  })

  test('that redirects for ever is given up', async () => {
    interference = ({ url = '' }, response) => {
      response.writeHead(307, { location: `${url}x` }).end()
      return true
    }
    await expect(images.prepare(name(), { workloadId: 'w' })).rejects.toThrow('redirects more than 5 times')
  })

  test('that never accepts what it is given is asked twice, not for ever', async () => {
    interference = (_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      return true
    }
    const auth = { username: 'u', password: createSecret('wrong') }
    await expect(images.prepare(name(), { workloadId: 'w', auth })).rejects.toMatchObject({ code: 'IMAGE_DENIED' })
    expect(registry.requests.length).toBeLessThan(5)
  })

  test('gets the password for itself, and no other host does', async () => {
    const stranger = await startFakeRegistry()
    interference = ({ headers }, response) => {
      if (headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      else response.writeHead(307, { location: `http://${stranger.host}/v2/app/manifests/1` }).end()
      return true
    }
    const auth = { username: 'u', password: createSecret('hidden') }
    await images.stop()
    images = open({ rules: { allowedPrivate: [], insecure: [registry.host, stranger.host] } })
    await images.start()
    await expect(images.prepare(name(), { workloadId: 'w', auth })).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' })
    expect(registry.requests.at(-1)?.headers.authorization).toBe(`Basic ${Buffer.from('u:hidden').toString('base64')}`)
    expect(stranger.requests).toHaveLength(1)
    expect(stranger.requests[0]?.headers.authorization).toBeUndefined()
    await stranger.close()
  })

  test('that wants the password sent to a token service elsewhere does not get it', async () => {
    interference = (_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="https://thief.example/token"' }).end()
      return true
    }
    const auth = { username: 'u', password: createSecret('hidden') }
    await expect(images.prepare(name(), { workloadId: 'w', auth })).rejects.toThrow('which is not of its domain')
  })

  test('that gives tokens is asked with one', async () => {
    registry.add('app:1', await makeImage({ layers: [BASE] }))
    interference = ({ url = '', headers }, response) => {
      if (url.startsWith('/token?')) response.end(JSON.stringify({ token: `t-${url.includes('scope=repository%3Aapp%3Apull')}` }))
      else if (headers.authorization === 'Bearer t-true') return false
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token",service="s"` }).end()
      return true
    }
    await images.prepare(name(), { workloadId: 'w' })
    expect(images.list()).toHaveLength(1)
  })

  test('that keeps an image for some does not have it given to others from here', async () => {
    const made = await makeImage({ layers: [BASE] })
    registry.add('app:1', made)
    const good = `Basic ${Buffer.from('u:p').toString('base64')}`
    interference = ({ headers }, response) => {
      if (headers.authorization === good) return false
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      return true
    }
    const reference = name(`app@${made.manifest.digest}`)
    await images.prepare(reference, { workloadId: 'a', auth: { username: 'u', password: createSecret('p') } })
    await expect(images.prepare(reference, { workloadId: 'b' })).rejects.toMatchObject({ code: 'IMAGE_DENIED' })
  })

  test('with an endless manifest is given up', async () => {
    interference = ({ url = '' }, response) => {
      if (!url.includes('/manifests/')) return false
      const write = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x')));
      }
      response.writeHead(200).on('drain', write)
      write()
      return true
    }
    await expect(images.prepare(name(), { workloadId: 'w' })).rejects.toThrow('sends more than 4194304 bytes')
  })
})

describe('a blob', () => {
  const large = Array.from({ length: 40_000 }, (_, index) => digestOf(Buffer.from(String(index)))).join('')

  test('whose connection drops goes on where it ended', async () => {
    const made = await makeImage({ layers: [[{ name: 'large', content: large }]] })
    registry.add('app:1', made)
    let drops = 0
    interference = ({ url = '', headers }, response) => {
      if (!url.endsWith(made.layers[0]?.digest ?? '-') || headers.range !== undefined) return false
      drops += 1
      response.writeHead(200, { 'content-length': made.layers[0]?.content.length })
      response.write(made.layers[0]?.content.subarray(0, 100_000), () => response.destroy())
      return true
    }
    const { lowerDirectories } = await images.prepare(name(), { workloadId: 'w' })
    expect(await readFile(join(lowerDirectories[0] ?? '', 'large'), 'utf8')).toBe(large)
    expect(drops).toBe(1)
    expect(registry.requests.some(({ headers }) => /^bytes=\d+-$/.test(headers.range ?? ''))).toBe(true)
  })

  test('that drops again and again is a clear error, and nothing is left', async () => {
    const made = await makeImage({ layers: [[{ name: 'large', content: large }]] })
    registry.add('app:1', made)
    interference = ({ url = '' }, response) => {
      if (!url.endsWith(made.layers[0]?.digest ?? '-')) return false
      response.destroy()
      return true
    }
    await expect(images.prepare(name(), { workloadId: 'w' })).rejects.toMatchObject({ code: 'IMAGE_REGISTRY_FAILED' })
    expect(await remains()).toEqual([])
  })

  test('that stops coming is a clear error, and nothing is left', async () => {
    await images.stop()
    images = open({ stallLimit: millis(100) })
    await images.start()
    const made = await makeImage({ layers: [[{ name: 'large', content: large }]] })
    registry.add('app:1', made)
    interference = ({ url = '' }, response) => {
      if (!url.endsWith(made.layers[0]?.digest ?? '-')) return false
      response.writeHead(200, { 'content-length': made.layers[0]?.content.length }).flushHeaders()
      return true
    }
    await expect(images.prepare(name(), { workloadId: 'w' })).rejects.toMatchObject({ code: 'IMAGE_STALLED', kind: 'timeout' })
    expect(await remains()).toEqual([])
  })

  test('with a wrong digest is a clear error, and nothing is left', async () => {
    const made = await makeImage({ layers: [BASE] })
    registry.add('app:1', made)
    interference = ({ url = '' }, response) => {
      if (!url.endsWith(made.layers[0]?.digest ?? '-')) return false
      response.end(Buffer.alloc(made.layers[0]?.content.length ?? 0, 'x'))
      return true
    }
    await expect(images.prepare(name(), { workloadId: 'w' })).rejects.toMatchObject({ code: 'IMAGE_WRONG_DIGEST' })
    expect(await remains()).toEqual([])
    expect(images.list()).toEqual([])
  })

  test('longer than its manifest says is given up', async () => {
    const made = await makeImage({ layers: [BASE] })
    registry.add('app:1', made)
    interference = ({ url = '' }, response) => {
      if (!url.endsWith(made.layers[0]?.digest ?? '-')) return false
      response.end(Buffer.alloc(1_000_000))
      return true
    }
    await expect(images.prepare(name(), { workloadId: 'w' })).rejects.toMatchObject({ code: 'IMAGE_WRONG_DIGEST' })
  })

  test('is given up when nobody wants it any more', async () => {
    const made = await makeImage({ layers: [BASE] })
    registry.add('app:1', made)
    const giveUp = new AbortController()
    interference = ({ url = '' }, response) => {
      if (!url.endsWith(made.layers[0]?.digest ?? '-')) return false
      response.writeHead(200, { 'content-length': 1000 }).flushHeaders()
      giveUp.abort()
      return true
    }
    const pull = images.prepare(name(), { workloadId: 'w', signal: giveUp.signal })
    await expect(pull).rejects.toMatchObject({ kind: 'cancelled' })
  })
})

describe('an image that is too large', () => {
  test('by what its manifest says is refused before its layers are fetched', async () => {
    registry.add('app:1', await makeImage({ layers: [BASE] }))
    const pull = images.prepare(name(), { workloadId: 'w', maxBytes: bytes(10) })
    await expect(pull).rejects.toMatchObject({ code: 'IMAGE_REFUSED' })
    expect(registry.requests.filter(({ url = '' }) => url.includes('/blobs/'))).toHaveLength(0)
  })

  test('once unpacked is a bomb: refused, and nothing is left', async () => {
    const archive = await makeArchive([{ name: 'zeros', content: Buffer.alloc(90 * 1024 * 1024) }])
    const made = await makeImage({ layers: [] })
    const config = Buffer.from(
      JSON.stringify({ ...(JSON.parse(made.config.content.toString()) as object), rootfs: { diff_ids: [digestOf(archive)] } })
    )
    const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', content: gzipSync(archive) }
    registry.add(
      'app:1',
      assemble({ mediaType: made.config.mediaType, content: config, digest: digestOf(config) }, [
        { ...layer, digest: digestOf(layer.content) }
      ])
    )
    await expect(images.prepare(name(), { workloadId: 'w' })).rejects.toThrow('unpacks to more than')
    expect(await remains()).toEqual([])
  })
})

describe('the store', () => {
  test('removes what nothing uses, and never what a workload uses', async () => {
    registry.add('app:1', await makeImage({ layers: [BASE] }))
    registry.add('other:1', await makeImage({ layers: [[{ name: 'other', content: 'x' }]] }))
    const { lowerDirectories } = await images.prepare(name(), { workloadId: 'a' })
    await images.prepare(name('other:1'), { workloadId: 'b' })
    await images.release('b')
    const { removed, freed } = await images.prune({})
    expect(removed.map(({ references }) => references)).toEqual([[name('other:1')]])
    expect(freed).toBeGreaterThan(0)
    expect(await readFile(join(lowerDirectories[0] ?? '', 'etc/hello'), 'utf8')).toBe('hello')
    await images.release('a')
    await images.release('a')
    await images.prune({})
    expect(await remains()).toEqual([])
  })

  test('keeps a layer as long as one image has it', async () => {
    registry.add('app:1', await makeImage({ layers: [BASE] }))
    registry.add('other:1', await makeImage({ layers: [BASE], config: CONFIG }))
    await images.prepare(name(), { workloadId: 'a' })
    const { lowerDirectories } = await images.prepare(name('other:1'), { workloadId: 'b' })
    await images.release('a')
    await images.prune({})
    expect(await readdir(lowerDirectories[0] ?? '')).toEqual(['etc'])
  })

  test('by age and down to a size removes the least recently used first', async () => {
    registry.add('app:1', await makeImage({ layers: [BASE] }))
    registry.add('other:1', await makeImage({ layers: [[{ name: 'other', content: 'x' }]] }))
    await images.prepare(name(), { workloadId: 'w' })
    await images.prepare(name('other:1'), { workloadId: 'w' })
    await images.release('w')
    expect((await images.prune({ usedBefore: millis(systemClock.now() - minutes(1)) })).removed).toEqual([])
    const { removed } = await images.prune({ downTo: bytes(images.size() - 1) })
    expect(removed.map(({ references }) => references)).toEqual([[name()]])
  })

  test('makes room by itself', async () => {
    await images.stop()
    images = open({ cacheSize: bytes(1) })
    await images.start()
    registry.add('app:1', await makeImage({ layers: [BASE] }))
    registry.add('other:1', await makeImage({ layers: [[{ name: 'other', content: 'x' }]] }))
    await images.prepare(name(), { workloadId: 'a' })
    await images.release('a')
    await images.prepare(name('other:1'), { workloadId: 'b' })
    expect(images.list().map(({ references }) => references)).toEqual([[name('other:1')]])
  })

  test('that was cut off at any moment is whole after the next start, and knows who uses what', async () => {
    registry.add('app:1', await makeImage({ layers: [BASE] }))
    const before = await images.prepare(name(), { workloadId: 'a' })
    await images.stop()
    await writeFile(join(directory, 'tmp', 'half'), 'half')
    const [layer = ''] = before.lowerDirectories
    const other = layer.replace(/[0-9a-f]{64}$/, '0'.repeat(64))
    await rm(other, { recursive: true, force: true })
    await writeFile(other, 'a layer without a record')
    images = open()
    await images.start()
    expect(images.list()).toMatchObject([{ digest: before.digest, usedBy: ['a'] }])
    await images.prune({})
    expect(await readdir(layer)).toEqual(['etc'])
    expect(await readdir(join(directory, 'tmp'))).toEqual([])
    expect(await remains()).not.toContain('0'.repeat(64))
  })

  test('fetches an image again whose layer is gone', async () => {
    registry.add('app:1', await makeImage({ layers: [BASE] }))
    const { lowerDirectories } = await images.prepare(name(), { workloadId: 'a' })
    await images.stop()
    await rm(`${lowerDirectories[0] ?? ''}.json`)
    images = open()
    await images.start()
    expect(images.list()).toEqual([])
    expect(await images.prepare(name(), { workloadId: 'a' })).toMatchObject({ lowerDirectories })
  })
})

describe('an artefact', () => {
  test('is the path of its only blob', async () => {
    registry.add('module:1', makeArtifact(WASM, Buffer.from('\0asm')))
    const found = await images.fetchArtifact(name('module:1'), { workloadId: 'w', mediaTypes: [WASM] })
    expect(await readFile(found.path, 'utf8')).toBe('\0asm')
    expect(found).toMatchObject({ mediaType: WASM, size: 4 })
    await images.release('w')
    await images.prune({})
    expect(await remains()).toEqual([])
  })

  test('of another type is refused', async () => {
    registry.add('module:1', makeArtifact('text/html', Buffer.from('x')))
    const fetched = images.fetchArtifact(name('module:1'), { workloadId: 'w', mediaTypes: [WASM] })
    await expect(fetched).rejects.toThrow('is of type "text/html", not application/wasm')
  })
})
