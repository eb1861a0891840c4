import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, lchown, link, lstat, mkdir, open, readlink, rm, symlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { Decompress } from 'fzstd'
import { extract } from 'tar-stream'
import { hasErrno } from '../base/index.ts'
import { ImageRefusedError } from './errors.ts'
import { type KernelCalls, loadKernelCalls } from './kernel-calls.ts'

/** One layer to unpack. Passed as JSON to the process that does it. */
export interface LayerJob {
  /** The blob as it came. */
  readonly blob: string
  readonly compression: Compression
  /** An empty directory that becomes the layer. */
  readonly target: string
  /** Digest that the unpacked archive must have. */
  readonly diffId: string
  readonly maxBytes: number
  readonly maxFiles: number
}

/** How a layer is packed. */
export type Compression = 'none' | 'gzip' | 'zstd'

/** What became of it. */
export interface LayerSummary {
  /** Sum of the files. */
  readonly bytes: number
  readonly files: number
  /** Devices and pipes that were left out. */
  readonly skipped: number
}

const MAX_NAME = 255
const MAX_PATH = 4096
const MAX_DEPTH = 128
const MAX_LINKS = 40
const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'
/** Every entry takes at least a block of the archive, and an inode. */
const ENTRY_COST = 512

/** What the reader of archives may find; its own types promise more than archives keep. */
interface EntryHeader {
  readonly name: string
  readonly type: string | null | undefined
  readonly size: number | undefined
  readonly mode: number | undefined
  readonly mtime: Date | undefined
  readonly linkname: string | null | undefined
  readonly uid: number | undefined
  readonly gid: number | undefined
}

interface EntryContent extends AsyncIterable<unknown> {
  /** Reads the rest and drops it. */
  resume(): unknown
}

interface Unpacking {
  readonly job: LayerJob
  readonly kernel: KernelCalls
  readonly isRoot: boolean
  bytes: number
  files: number
  skipped: number
}

/**
 * Unpacks a layer for overlayfs: whiteouts become character devices 0/0, opaque directories get their attribute.
 *
 * Nothing is written or linked outside of the target, whatever the archive says. Owners are kept where this process is root.
 *
 * @throws ImageRefusedError when the archive is damaged, hostile, larger than allowed, or not what its digest names.
 */
export async function unpackLayer(job: LayerJob): Promise<LayerSummary> {
  const state: Unpacking = {
    job,
    kernel: await loadKernelCalls(),
    isRoot: process.getuid?.() === 0,
    bytes: 0,
    files: 0,
    skipped: 0
  }
  const hash = createHash('sha256')
  let archived = 0
  const limit = job.maxBytes + (job.maxFiles + 2) * ENTRY_COST * 2
  const meter = new Transform({
    transform(piece: Uint8Array, _encoding, callback) {
      archived += piece.length
      hash.update(piece)
      callback(archived > limit ? new ImageRefusedError(`a layer unpacks to more than ${limit} bytes`) : null, piece)
    }
  })
  const archive = extract()
  const reading = pipeline([createReadStream(job.blob), ...decompressor(job.compression), meter, archive])
  reading.catch(() => undefined) // thrown below
  try {
    for await (const entry of archive) await writeEntry(state, entry.header, entry)
    await reading
  } catch (error) {
    const isOurs = error instanceof ImageRefusedError || (error instanceof Error && 'errno' in error)
    if (!isOurs) {
      await reading.catch((cause: unknown) => {
        throw toRefusal(cause)
      })
    }
    throw toRefusal(error)
  }
  const digest = `sha256:${hash.digest('hex')}`
  if (digest !== job.diffId) throw new ImageRefusedError(`a layer unpacks to ${digest}, its image says ${job.diffId}`)
  await state.kernel.sync(job.target)
  return { bytes: state.bytes, files: state.files, skipped: state.skipped }
}

/** Errors of the libraries say that the archive is damaged; those of the operating system pass. */
function toRefusal(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ImageRefusedError || 'errno' in error) {
    const isDamage = error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
    if (!isDamage) return error
  }
  return new ImageRefusedError(`a layer is damaged: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}

function decompressor(compression: Compression): readonly Transform[] {
  if (compression === 'gzip') return [createGunzip()]
  return compression === 'zstd' ? [createUnzstd()] : []
}

function createUnzstd(): Transform {
  const pieces: Uint8Array[] = []
  const stream = new Decompress((piece) => void pieces.push(piece))
  function flush(this: Transform, callback: TransformCallback, work: () => void): void {
    try {
      work()
      for (const piece of pieces.splice(0)) this.push(piece)
      callback()
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)))
    }
  }
  return new Transform({
    transform(piece: Uint8Array, _encoding, callback) {
      flush.call(this, callback, () => void stream.push(piece))
    },
    flush(callback) {
      flush.call(this, callback, () => void stream.push(new Uint8Array(0), true))
    }
  })
}

async function writeEntry(state: Unpacking, header: EntryHeader, content: EntryContent): Promise<void> {
  count(state, header)
  const parts = partsOf(header.name)
  const name = parts.at(-1)
  if (name === undefined) {
    if (header.type === 'directory') await setAttributes(state, state.job.target, header)
    content.resume()
    return
  }
  const parent = await resolveParent(state.job.target, parts.slice(0, -1))
  if (name === OPAQUE) state.kernel.markOpaque(parent)
  else if (name.startsWith(WHITEOUT)) await writeWhiteout(state, parent, name.slice(WHITEOUT.length))
  else await writeNode(state, join(parent, name), header, content)
  content.resume()
}

function count(state: Unpacking, header: EntryHeader): void {
  const { maxBytes, maxFiles } = state.job
  state.files += 1
  state.bytes += header.type === 'file' || header.type === 'contiguous-file' ? (header.size ?? 0) : 0
  if (state.files > maxFiles) throw new ImageRefusedError(`a layer has more than ${maxFiles} files`)
  if (state.bytes > maxBytes) throw new ImageRefusedError(`a layer unpacks to more than ${maxBytes} bytes`)
}

/** The components of a path; every one is a plain name. */
function partsOf(path: string): readonly string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  const shown = JSON.stringify(path.slice(0, 200))
  if (path.startsWith('/') || parts.includes('..'))
    throw new ImageRefusedError(`a layer has the path ${shown}, which leads out of it`)
  const isTooLong = path.length > MAX_PATH || parts.length > MAX_DEPTH
  if (isTooLong || parts.some((part) => Buffer.byteLength(part) > MAX_NAME))
    throw new ImageRefusedError(`a layer has too long a path: ${shown}`)
  if (path.includes('\0')) throw new ImageRefusedError(`a layer has a path with NUL: ${shown}`)
  return parts
}

/**
 * The real directory that the components lead to, made where it is missing. Links are followed as if the target were the root of
 * the file system; no process but this one writes there, so what was looked at stays.
 */
async function resolveParent(root: string, parts: readonly string[]): Promise<string> {
  const walked: string[] = []
  const todo = [...parts]
  let links = 0
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    if (part === '' || part === '.') continue
    if (part === '..') {
      walked.pop()
      continue
    }
    const path = join(root, ...walked, part)
    const found = await look(path)
    if (found === undefined) await mkdir(path, { mode: 0o755 })
    if (found?.isSymbolicLink() === true) {
      links += 1
      if (links > MAX_LINKS) throw new ImageRefusedError('a layer has links that lead in a circle')
      const target = await readlink(path)
      if (target.startsWith('/')) walked.splice(0)
      todo.unshift(...target.split('/'))
      continue
    }
    if (found?.isDirectory() === false) {
      await rm(path, { force: true }) // a later entry of the archive counts
      await mkdir(path, { mode: 0o755 })
    }
    walked.push(part)
    if (walked.length > MAX_DEPTH) throw new ImageRefusedError('a layer is too deep')
  }
  return join(root, ...walked)
}

async function look(path: string) {
  try {
    return await lstat(path)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

async function writeWhiteout(state: Unpacking, parent: string, name: string): Promise<void> {
  if (name === '' || name === '.' || name === '..') throw new ImageRefusedError('a layer has a whiteout without a name')
  if (name.startsWith(WHITEOUT)) return // notes of AUFS
  const path = join(parent, name)
  await rm(path, { recursive: true, force: true })
  state.kernel.makeWhiteout(path)
}

async function writeNode(state: Unpacking, path: string, header: EntryHeader, content: EntryContent): Promise<void> {
  const { type } = header
  const found = await look(path)
  const isSameDirectory = type === 'directory' && found?.isDirectory() === true
  if (found !== undefined && !isSameDirectory) await rm(path, { recursive: true, force: true })
  if (type === 'directory') {
    if (!isSameDirectory) await mkdir(path, { mode: 0o700 })
  } else if (type === 'file' || type === 'contiguous-file') {
    await writeFile(path, content)
  } else if (type === 'symlink') {
    await symlink(linkName(header), path)
    if (state.isRoot) await lchown(path, ownerOf(header.uid), ownerOf(header.gid))
    return
  } else if (type === 'link') {
    return await writeHardLink(state, path, linkName(header))
  } else {
    state.skipped += 1 // devices and pipes: a job gets its own
    return
  }
  await setAttributes(state, path, header)
}

/** A symbolic link may say what it likes: it is followed only inside of the job. */
function linkName({ linkname }: EntryHeader): string {
  const target = linkname ?? ''
  if (target === '' || target.length > MAX_PATH || target.includes('\0'))
    throw new ImageRefusedError('a layer has a link without a proper target')
  return target
}

async function writeHardLink(state: Unpacking, path: string, target: string): Promise<void> {
  const parts = partsOf(target.replace(/^\/+/, ''))
  const name = parts.at(-1)
  if (name === undefined) throw new ImageRefusedError('a layer has a hard link to its root')
  const source = join(await resolveParent(state.job.target, parts.slice(0, -1)), name)
  const found = await look(source)
  if (found === undefined || found.isDirectory()) {
    throw new ImageRefusedError(`a layer has a hard link to ${JSON.stringify(target.slice(0, 200))}, which is no file of it`)
  }
  await link(source, path) // of a symbolic link, the link itself
}

async function writeFile(path: string, content: EntryContent): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const piece of content) await file.write(piece as Uint8Array)
  } finally {
    await file.close()
  }
}

async function setAttributes(state: Unpacking, path: string, header: EntryHeader): Promise<void> {
  if (state.isRoot) await lchown(path, ownerOf(header.uid), ownerOf(header.gid))
  await chmod(path, (header.mode ?? 0o755) & 0o7777) // after the owner, whose change takes the special bits away
  const at = header.mtime
  if (at !== undefined && Number.isFinite(at.getTime()) && at.getTime() >= 0) await utimes(path, at, at)
}

function ownerOf(id: number | undefined): number {
  return id !== undefined && Number.isInteger(id) && id >= 0 && id < 2 ** 31 ? id : 0
}
