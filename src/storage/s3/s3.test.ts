import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { S3_KEYS, type S3Server, startS3Server } from '../../../test/support/s3-server.ts'
import { bytes, type JsonValue, mebibytes, millis, minutes, systemClock } from '../../base/index.ts'
import { volumeProviderCompliance } from '../../testing/index.ts'
import type { TransferRules } from '../endpoint.ts'
import type { PublishedFile, VolumeProvider, VolumeRequest } from '../volume.ts'
import { createS3Publisher, createS3Volumes } from './index.ts'

let server: S3Server
let place: string

beforeAll(async () => {
  server = await startS3Server()
})

afterAll(() => server.stop())

beforeEach(async () => {
  place = await realpath(await mkdtemp(join(tmpdir(), 'nunet-s3-test-')))
})

afterEach(async () => {
  server.interfere = undefined
  await rm(place, { recursive: true })
})

const rules = (more: Partial<TransferRules> = {}): TransferRules => ({
  allowedPrivate: [server.host],
  stallLimit: millis(500),
  timeLimit: minutes(1),
  ...more
})

function volumes(more: Partial<TransferRules> = {}): VolumeProvider {
  return createS3Volumes({ clock: systemClock, rules: rules(more) })
}

async function publish(files: Readonly<Record<string, Buffer>>, prefix: string, id = prefix, more: object = {}) {
  const directory = join(place, `publish-${id}`)
  await mkdir(directory, { recursive: true })
  const list: PublishedFile[] = []
  for (const [path, content] of Object.entries(files)) {
    const source = join(place, `source-${list.length}`)
    await writeFile(source, content)
    list.push({ path, source, size: content.length })
  }
  const spec = { ...server.place, prefix, ...more }
  return await createS3Publisher({ clock: systemClock, rules: rules() }).publish({ id, directory, spec, files: list })
}

async function request(spec: object, limit = mebibytes(64)): Promise<VolumeRequest> {
  const directory = join(place, 'volume')
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return {
    id: 'job.0',
    owner: 'did:key:owner',
    directory,
    spec: { ...server.place, ...spec } as JsonValue,
    isReadOnly: false,
    limit
  }
}

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

describe('a volume of S3', () => {
  volumeProviderCompliance({
    test,
    async create() {
      await publish({ 'one.txt': Buffer.from('one'), 'deep/two.txt': Buffer.from('two') }, 'compliance')
      return {
        provider: volumes(),
        spec: () => ({ ...server.place, prefix: 'compliance' }),
        invalid: () => ({ spec: { ...server.place, bucket: 'No Bucket' }, field: 'bucket' }),
        reopen: () => volumes(),
        dispose: () => Promise.resolve()
      }
    }
  })

  test.each([
    [{ bucket: undefined }, 'bucket: is missing'],
    [{ key: 'a', prefix: 'b' }, 'prefix: is one too many beside key'],
    [{ prefix: 'a', sha256: '0'.repeat(64) }, 'sha256: is for one object'],
    [{ key: 'a', sha256: 'abc' }, 'sha256: must be 64'],
    [{ endpoint: 'ftp://host' }, 'endpoint: must be a URL'],
    [{ endpoint: 'http://user:word@host' }, 'endpoint: must be a URL'],
    [{ secret_access_key: undefined }, 'secret_access_key: is missing beside access_key_id'],
    [{ region: 'evil.example/' }, 'region: must be the name of a region'],
    [{ keys: 'a' }, 'keys: did you mean key?']
  ])('that says %j is refused by the name of its field', async (more, message) => {
    const spec: unknown = JSON.parse(JSON.stringify({ ...server.place, ...more }))
    expect(() => volumes().check(spec as JsonValue)).toThrow(message)
  })

  test('at a private address is refused, unless the owner lists it, and no request is sent', async () => {
    const before = server.requests.length
    const wanted = await request({ prefix: 'a' })
    await expect(volumes({ allowedPrivate: [] }).prepare(wanted)).rejects.toThrow(/storage.allowed_private_endpoints/)
    expect(server.requests.length).toBe(before)
    expect(await readdir(wanted.directory)).toEqual([])
  })

  test('whose name leads to a private address is refused when it is looked up', async () => {
    const lookup: TransferRules['lookup'] = (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }])
    const wanted = await request({ endpoint: `https://bucket.example:${server.host.split(':')[1]}`, prefix: 'a' })
    await expect(volumes({ lookup }).prepare(wanted)).rejects.toMatchObject({ code: 'STORAGE_NOT_PERMITTED' })
  })

  test('with a wrong key, or of a bucket that is not there, says what the service says and not the secret', async () => {
    await publish({ a: Buffer.from('a') }, 'denied')
    const wrong = await request({ prefix: 'denied', access_key_id: 'NOBODY', secret_access_key: 'super-secret' })
    const refusal = await volumes()
      .prepare(wrong)
      .catch((error: unknown) => error)
    expect(refusal).toMatchObject({
      code: 'STORAGE_NOT_PERMITTED',
      message: expect.stringContaining('InvalidAccessKeyId') as unknown
    })
    expect(JSON.stringify(refusal, Object.getOwnPropertyNames(refusal))).not.toContain('super-secret')
    await expect(volumes().prepare(await request({ bucket: 'nobody' }))).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
    await expect(volumes().prepare(await request({ key: 'nothing' }))).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
    await expect(volumes().prepare(await request({ prefix: 'nothing' }))).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
  })

  test('larger than what the job has left of its disk is refused before a byte of it comes', async () => {
    await publish({ big: randomBytes(9000) }, 'large')
    await expect(volumes().prepare(await request({ prefix: 'large' }, bytes(8999)))).rejects.toMatchObject({
      code: 'STORAGE_QUOTA'
    })
    expect(server.requests.at(-1)).not.toContain('big')
  })

  test('whose object has another checksum than the user wrote leaves nothing', async () => {
    const content = randomBytes(50_000)
    await publish({ model: content }, 'checked')
    const wrong = await request({ key: 'checked/model', sha256: sha256(Buffer.from('other')) })
    await expect(volumes().prepare(wrong)).rejects.toMatchObject({ code: 'STORAGE_CHECKSUM' })
    expect(await readdir(wrong.directory)).toEqual([])
    const right = await request({ key: 'checked/model', sha256: sha256(content) })
    const { source } = await volumes().prepare(right)
    expect(sha256(await readFile(join(source, 'model')))).toBe(sha256(content))
  })

  test('whose bytes were changed on the way leaves nothing', async () => {
    await publish({ model: Buffer.from('what it was') }, 'changed')
    server.interfere = (asked, response) => answerWith(asked, response, Buffer.from('what it is!'))
    const wanted = await request({ prefix: 'changed' })
    await expect(volumes().prepare(wanted)).rejects.toMatchObject({ code: 'STORAGE_CHECKSUM' })
    expect(await readdir(wanted.directory)).toEqual([])
  })

  test('with names that would lead out of it is refused', async () => {
    server.interfere = (asked, response) => {
      if (asked.url?.includes('list-type') !== true) return false
      response.end(
        '<ListBucketResult><Contents><Key>x/../../evil</Key><Size>1</Size><ETag>"a"</ETag></Contents></ListBucketResult>'
      )
      return true
    }
    await expect(volumes().prepare(await request({ prefix: 'x' }))).rejects.toMatchObject({ code: 'STORAGE_NOT_PERMITTED' })
  })

  test('of a service whose list never ends is given up', async () => {
    server.interfere = (_asked, response) => {
      const flood = (): void => {
        while (response.write('x'.repeat(65_536)));
        response.once('drain', flood)
      }
      response.writeHead(200, { 'content-type': 'application/xml' })
      flood()
      return true
    }
    await expect(volumes({ stallLimit: millis(20_000) }).prepare(await request({ prefix: 'x' }))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE'
    })
  })

  test('of a service that stalls says so', async () => {
    await publish({ slow: randomBytes(1000) }, 'stalling')
    server.interfere = ({ method, url }, response) => {
      if (method !== 'GET' || url?.includes('slow') !== true) return false
      response.writeHead(200, { 'content-length': '1000' })
      response.write('x')
      return true
    }
    await expect(volumes({ timeLimit: millis(4000) }).prepare(await request({ prefix: 'stalling' }))).rejects.toThrow()
  })

  test('goes on after dropped connections where they ended, and has all files to read', async () => {
    const [large, small] = [randomBytes(3_000_000), Buffer.from('small')]
    await publish({ 'dir/large': large, small, empty: Buffer.alloc(0) }, 'dropped')
    server.interfere = breakOffAfter(1_000_000)
    const wanted = await request({ prefix: 'dropped' })
    const { source, isReadOnly } = await volumes().prepare(wanted)
    expect(isReadOnly).toBe(true)
    expect(sha256(await readFile(join(source, 'dir/large')))).toBe(sha256(large))
    expect(await readFile(join(source, 'small'))).toEqual(small)
    expect((await stat(join(source, 'empty'))).size).toBe(0)
    expect(server.requests.filter((line) => /large.* bytes=/.test(line))).not.toEqual([])
    const asked = server.requests.length
    await volumes().prepare(wanted)
    expect(server.requests.length, 'a prepared volume is not fetched again').toBe(asked)
  })

  test('sent in parts that arrived with another length is an error', async () => {
    server.interfere = ({ method }, response) => {
      if (method !== 'HEAD') return false
      response.writeHead(200, { 'content-length': '7' }).end()
      return true
    }
    await expect(publish({ large: randomBytes(9_000_000) }, 'short')).rejects.toMatchObject({
      code: 'STORAGE_CHECKSUM',
      message: expect.stringContaining('with 7 bytes, not 9000000') as unknown
    })
  })

  test('may be sent by keys that may write and not look', async () => {
    server.interfere = ({ method }, response) => {
      if (method !== 'HEAD') return false
      response.writeHead(403).end()
      return true
    }
    await expect(publish({ large: randomBytes(9_000_000) }, 'blind')).resolves.toMatchObject({ files: 1, size: 9_000_000 })
  })

  test('goes on after a cancellation with what had come', async () => {
    const large = randomBytes(3_000_000)
    await publish({ large }, 'cut')
    const cut = new AbortController()
    const wanted = await request({ prefix: 'cut' })
    server.interfere = breakOffAfter(1_000_000, () => cut.abort())
    await expect(volumes().prepare(wanted, { signal: cut.signal })).rejects.toMatchObject({ kind: 'cancelled' })
    server.interfere = undefined
    const { source } = await volumes().prepare(wanted)
    expect(sha256(await readFile(join(source, 'large')))).toBe(sha256(large))
    expect(server.requests.at(-1)).toMatch(/large.* bytes=[1-9]\d+-$/)
  })

  test('of an object that was exchanged meanwhile is begun anew by the next try, and no two versions are mixed', async () => {
    const second = randomBytes(3_000_000)
    await publish({ large: randomBytes(3_000_000) }, 'exchanged')
    const cut = new AbortController()
    const wanted = await request({ prefix: 'exchanged' })
    server.interfere = breakOffAfter(1_000_000, () => cut.abort())
    await expect(volumes().prepare(wanted, { signal: cut.signal })).rejects.toMatchObject({ kind: 'cancelled' })
    server.interfere = undefined
    await publish({ large: second }, 'exchanged', 'again')
    await expect(volumes().prepare(wanted)).rejects.toMatchObject({ code: 'STORAGE_CHECKSUM' })
    const { source } = await volumes().prepare(wanted)
    expect(sha256(await readFile(join(source, 'large')))).toBe(sha256(second))
  })
})

describe('publishing to S3', () => {
  test('with a wrong key says so', async () => {
    const sent = publish({ a: Buffer.from('a') }, 'no', 'no', { access_key_id: 'NOBODY' })
    await expect(sent).rejects.toMatchObject({ code: 'STORAGE_NOT_PERMITTED' })
  })

  test('sends large files in parts, and after an interruption only what is missing', async () => {
    const large = randomBytes(30 * 1024 * 1024)
    const files = { large, 'dir/small': Buffer.from('small') }
    let parts = 0
    server.interfere = ({ url }, response) => {
      if (url?.includes('partNumber=') === true) parts += 1
      if (parts <= 2) return false
      response.destroy()
      return true
    }
    await expect(publish(files, 'sent')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    server.interfere = undefined
    const from = server.requests.length
    expect(await publish(files, 'sent')).toEqual({ location: 's3://data/sent/', files: 2, size: large.length + 5 })
    expect(server.requests.slice(from).filter((line) => line.includes('partNumber=')).length).toBeLessThan(4)
    const { source } = await volumes().prepare(await request({ ...S3_KEYS, prefix: 'sent' }))
    expect(sha256(await readFile(join(source, 'large')))).toBe(sha256(large))
    expect(await readFile(join(source, 'dir/small'), 'utf8')).toBe('small')
  })
})

/** Breaks every answer with an object off after so many bytes. */
function breakOffAfter(
  count: number,
  told: () => void = () => undefined
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return ({ method, url }, response) => {
    if (method !== 'GET' || url?.includes('list-type') === true) return false
    const write = response.write.bind(response)
    let sent = 0
    response.write = ((piece: Buffer) => {
      const rest = count - sent
      sent += piece.length
      if (sent <= count) return write(piece)
      if (rest > 0) write(piece.subarray(0, rest))
      setTimeout(() => {
        told()
        response.destroy()
      }, 50)
      return true
    }) as typeof response.write
    return false
  }
}

function answerWith({ method, url }: IncomingMessage, response: ServerResponse, content: Buffer): boolean {
  if (method !== 'GET' || url?.includes('list-type') === true) return false
  response.writeHead(200, { 'content-length': String(content.length), etag: '"x"' })
  response.end(content)
  return true
}
