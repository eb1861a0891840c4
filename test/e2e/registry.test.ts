import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  createSecret,
  gibibytes,
  mebibytes,
  millis,
  minutes,
  silentLogger,
  systemClock,
  systemRandom
} from '../../src/base/index.ts'
import { createImages, type ImageProgress, type Images } from '../../src/image/index.ts'
import { type MadeImage, makeImage, pushImage } from '../../src/testing/index.ts'
import { REGISTRY_USER, registryRequirement, startRegistry, type TestRegistry } from '../support/registry.ts'

const needs = await registryRequirement()
const AUTH = { username: REGISTRY_USER.username, password: createSecret(REGISTRY_USER.password) }

/** Stands between the node and the registry, and spoils what it is told to; the password passes it as on any network. */
interface Meddler {
  readonly host: string
  /** Answers in its own way and says so, or lets the request pass. */
  spoil: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined
  close(): void
}

async function startMeddler(registry: TestRegistry): Promise<Meddler> {
  const server: Server = createServer((incoming, response) => {
    if (meddler.spoil?.(incoming, response) === true) return
    const call = request(
      new URL(incoming.url ?? '/', registry.url),
      { method: incoming.method, headers: incoming.headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      }
    )
    call.once('error', () => response.destroy())
    incoming.pipe(call)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const meddler: Meddler = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    spoil: undefined,
    close() {
      server.closeAllConnections()
      server.close()
    }
  }
  return meddler
}

describe.skipIf(!needs.available)(needs.title('a pull from a real registry that asks for user and password'), () => {
  let registry: TestRegistry
  let meddler: Meddler
  let made: MadeImage
  let directory: string
  let images: Images

  beforeAll(async () => {
    registry = await startRegistry()
    meddler = await startMeddler(registry)
    made = await makeImage({
      layers: [
        [
          { name: 'etc/', type: 'directory' },
          { name: 'etc/hello', content: 'hello' }
        ],
        [{ name: 'data', content: randomBytes(8 * 1024 * 1024) }]
      ],
      config: { Entrypoint: ['/bin/sh'] }
    })
    await pushImage(registry.url, 'team/app:1', made, registry.headers)
  })

  afterAll(async () => {
    meddler.close()
    await registry.stop()
  })

  beforeEach(async () => {
    meddler.spoil = undefined
    directory = await mkdtemp(join(tmpdir(), 'nunet-pull-'))
    images = createImages({
      directory,
      rules: { allowedPrivate: [], insecure: [registry.host, meddler.host] },
      cacheSize: gibibytes(1),
      maxImageSize: mebibytes(256),
      stallLimit: millis(500),
      pullLimit: minutes(1),
      clock: systemClock,
      random: systemRandom,
      log: silentLogger
    })
    await images.start()
  })

  afterEach(async () => {
    await images.stop()
    await rm(directory, { recursive: true, force: true })
  })

  async function files(): Promise<readonly string[]> {
    const all = await readdir(directory, { recursive: true, withFileTypes: true })
    return all.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
  }

  /** Of the right length: only the digest tells. */
  function otherBytes(): Buffer {
    return Buffer.alloc(made.layers[1]?.content.length ?? 0, 'x')
  }

  function isLayer({ url = '' }: IncomingMessage): boolean {
    return url.endsWith(made.layers[1]?.digest ?? '-')
  }

  test('is refused without them, and with wrong ones, and leaves nothing', async () => {
    const wrong = { ...AUTH, password: createSecret('guessed') }
    for (const auth of [{}, { auth: wrong }]) {
      const pull = images.prepare(`${registry.host}/team/app:1`, { workloadId: 'w', ...auth })
      await expect(pull).rejects.toMatchObject({ code: 'IMAGE_DENIED' })
    }
    expect(await files()).toEqual([])
  })

  test('by digest brings exactly that, tells its progress, and never the password', async () => {
    const seen: ImageProgress[] = []
    const reference = `${registry.host}/team/app@${made.manifest.digest}`
    const onProgress = (progress: ImageProgress): void => void seen.push(progress)
    const prepared = await images.prepare(reference, { workloadId: 'w', auth: AUTH, onProgress })
    expect(prepared.digest).toBe(made.manifest.digest)
    expect(prepared.config.entrypoint).toEqual(['/bin/sh'])
    expect(await readFile(join(prepared.lowerDirectories[1] ?? '', 'etc/hello'), 'utf8')).toBe('hello')
    const total = made.layers.reduce((sum, { content }) => sum + content.length, 0)
    expect(seen.length).toBeGreaterThan(1)
    expect(seen.every((progress) => progress.total === total && progress.done <= total)).toBe(true)
    expect(seen.at(-1)?.done).toBe(total)
    expect(JSON.stringify([images.list(), seen])).not.toContain(REGISTRY_USER.password)
  })

  test('goes on where a dropped connection ended', async () => {
    let drops = 0
    const ranges: string[] = []
    meddler.spoil = (incoming, response) => {
      if (!isLayer(incoming)) return false
      if (incoming.headers.range !== undefined) ranges.push(incoming.headers.range)
      if (incoming.headers.authorization === undefined || drops > 0) return false
      drops += 1
      const content = made.layers[1]?.content ?? Buffer.alloc(0)
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 1_000_000), () => response.destroy())
      return true
    }
    await images.prepare(`${meddler.host}/team/app:1`, { workloadId: 'w', auth: AUTH })
    expect(drops).toBe(1)
    expect(ranges.every((range) => /^bytes=[1-9]\d*-$/.test(range))).toBe(true)
    expect(ranges.length).toBeGreaterThan(0)
  })

  test.each([
    ['stalls', 'IMAGE_STALLED', (response: ServerResponse) => response.writeHead(200, { 'content-length': 9 }).flushHeaders()],
    ['drops every connection', 'IMAGE_REGISTRY_FAILED', (response: ServerResponse) => void response.destroy()],
    ['serves a wrong digest', 'IMAGE_WRONG_DIGEST', (response: ServerResponse) => void response.end(otherBytes())]
  ])('that %s is a clear error, nothing is half-stored, and the next pull works', async (_what, code, spoil) => {
    meddler.spoil = (incoming, response) => {
      if (!isLayer(incoming)) return false
      spoil(response)
      return true
    }
    const pull = images.prepare(`${meddler.host}/team/app:1`, { workloadId: 'w', auth: AUTH })
    await expect(pull).rejects.toMatchObject({ code })
    expect(await files()).toEqual([])
    expect(images.list()).toEqual([])
    meddler.spoil = undefined
    await images.prepare(`${meddler.host}/team/app:1`, { workloadId: 'w', auth: AUTH })
    expect(images.list()).toHaveLength(1)
  })
})
