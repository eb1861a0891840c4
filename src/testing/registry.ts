import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { type Header, pack } from 'tar-stream'

/** One entry of a layer. */
export type LayerFile = Partial<Header> & { readonly name: string; readonly content?: string | Buffer }

/** What {@link makeImage} makes an image of. */
export interface ImageRecipe {
  /** Bottom first. */
  readonly layers: readonly (readonly LayerFile[])[]
  /** The `config` member of the configuration: `Cmd`, `Env`. */
  readonly config?: object
  /** Default: that of this machine. */
  readonly architecture?: string
}

/** A blob and what it is. */
export interface MadeBlob {
  readonly mediaType: string
  readonly digest: string
  readonly content: Buffer
}

/** An image in memory. */
export interface MadeImage {
  readonly manifest: MadeBlob
  readonly config: MadeBlob
  readonly layers: readonly MadeBlob[]
}

const OCI = 'application/vnd.oci.image'

/** Names content. */
export function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

function blobOf(mediaType: string, content: Buffer): MadeBlob {
  return { mediaType, content, digest: digestOf(content) }
}

/** An uncompressed archive. */
export async function makeArchive(files: readonly LayerFile[]): Promise<Buffer> {
  const archive = pack()
  for (const { content = '', ...header } of files) archive.entry({ ...header, mtime: header.mtime ?? new Date(0) }, content)
  archive.finalize()
  const pieces: Buffer[] = []
  for await (const piece of archive) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

/** Builds an image of layers. */
export async function makeImage({ layers, config = {}, architecture }: ImageRecipe): Promise<MadeImage> {
  const archives = await Promise.all(layers.map(makeArchive))
  const made = archives.map((archive) => ({ archive, packed: gzipSync(archive) }))
  return layersOf(made, config, architecture)
}

/** An image of archives that are there already, each with its packed form. */
export function layersOf(
  layers: readonly { readonly archive: Buffer; readonly packed: Buffer }[],
  config: object = {},
  architecture?: string
): MadeImage {
  const made = layers.map(({ packed }) => blobOf(`${OCI}.layer.v1.tar+gzip`, packed))
  const document = {
    architecture: architecture ?? (process.arch === 'x64' ? 'amd64' : process.arch),
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ archive }) => digestOf(archive)) }
  }
  return assemble(blobOf(`${OCI}.config.v1+json`, Buffer.from(JSON.stringify(document))), made)
}

/** Builds an artefact of one blob. */
export function makeArtifact(mediaType: string, content: Buffer): MadeImage {
  return assemble(blobOf('application/vnd.oci.empty.v1+json', Buffer.from('{}')), [blobOf(mediaType, content)])
}

/** Makes the manifest of blobs. */
export function assemble(config: MadeBlob, layers: readonly MadeBlob[]): MadeImage {
  const describe = ({ mediaType, digest, content }: MadeBlob) => ({ mediaType, digest, size: content.length })
  const mediaType = `${OCI}.manifest.v1+json`
  const manifest = { schemaVersion: 2, mediaType, config: describe(config), layers: layers.map(describe) }
  return { config, layers, manifest: blobOf(mediaType, Buffer.from(JSON.stringify(manifest))) }
}

/** Puts an image into a registry, as `docker push` does. */
export async function pushImage(
  registry: string,
  name: string,
  image: MadeImage,
  headers: Record<string, string> = {}
): Promise<void> {
  const [repository = '', tag = 'latest'] = name.split(':')
  for (const blob of [image.config, ...image.layers]) {
    const begun = await send(new URL(`/v2/${repository}/blobs/uploads/`, registry), 'POST', headers)
    if (begun.status !== 202) throw new Error(`the registry begins no upload: ${begun.status} ${begun.body}`)
    const place = new URL(begun.location, registry)
    place.searchParams.set('digest', blob.digest)
    const put = await send(place, 'PUT', { ...headers, 'content-type': 'application/octet-stream' }, blob.content)
    if (put.status !== 201) throw new Error(`the registry does not take a blob: ${put.status} ${put.body}`)
  }
  const { mediaType, content } = image.manifest
  const put = await send(
    new URL(`/v2/${repository}/manifests/${tag}`, registry),
    'PUT',
    { ...headers, 'content-type': mediaType },
    content
  )
  if (put.status !== 201) throw new Error(`the registry does not take the manifest: ${put.status} ${put.body}`)
}

interface Sent {
  readonly status: number
  readonly location: string
  readonly body: string
}

function send(url: URL, method: string, headers: Record<string, string>, content: Buffer = Buffer.alloc(0)): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method, agent: false, headers: { ...headers, 'content-length': content.length } }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (piece: string) => {
        body += piece
      })
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, location: answer.headers.location ?? '', body }))
    })
    call.once('error', reject)
    call.end(content)
  })
}

/** A registry that answers as it is told. */
export interface FakeRegistry {
  /** `127.0.0.1:<port>`. */
  readonly host: string
  readonly requests: readonly IncomingMessage[]
  add(name: string, image: MadeImage): void
  close(): Promise<void>
}

/** Answers a request in another way; true when it did. */
export type Interference = (request: IncomingMessage, response: ServerResponse) => boolean

/** Starts a registry on loopback that serves what is added, unless `interfere` answers first. */
export async function startFakeRegistry(interfere: Interference = () => false): Promise<FakeRegistry> {
  const manifests = new Map<string, MadeBlob>()
  const blobs = new Map<string, MadeBlob>()
  const requests: IncomingMessage[] = []
  const server = createServer((incoming, response) => {
    requests.push(incoming)
    if (interfere(incoming, response)) return
    const path = incoming.url ?? ''
    const found = path.includes('/manifests/') ? manifests.get(path) : blobs.get(path.split('/').at(-1) ?? '')
    if (found === undefined) response.writeHead(404).end()
    else serveBlob(incoming, response, found)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    requests,
    add(name, image) {
      const [repository = '', tag = 'latest'] = name.split(':')
      for (const version of [tag, image.manifest.digest]) manifests.set(`/v2/${repository}/manifests/${version}`, image.manifest)
      for (const blob of [image.config, ...image.layers]) blobs.set(blob.digest, blob)
    },
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    }
  }
}

function serveBlob({ headers }: IncomingMessage, response: ServerResponse, { mediaType, content }: MadeBlob): void {
  const [, from] = /^bytes=(\d+)-$/.exec(headers.range ?? '') ?? []
  const start = Number(from ?? 0)
  const range = from === undefined ? {} : { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }
  const piece = content.subarray(start)
  response.writeHead(from === undefined ? 200 : 206, { 'content-type': mediaType, 'content-length': piece.length, ...range })
  response.end(piece)
}
