import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { clashIn, hasErrno, isJsonObject, isRelativePath, type JsonValue, parseJson } from '../../base/index.ts'
import { BadOutputsError } from './errors.ts'

/** A file as its provider lists it. */
export interface ListedOutput {
  readonly path: string
  readonly size: number
  readonly sha256: string
}

/** The outputs of one allocation on the machine of who deployed it. */
export interface FetchedOutputs {
  readonly files: readonly ListedOutput[]
  /** What the provider left out, or why not all could be fetched; empty: nothing. */
  readonly error: string
  /** Where the provider published them; empty: nowhere. */
  readonly published: string
  readonly isComplete: boolean
}

/** Where the outputs come from. */
export interface OutputSource {
  list(): Promise<Pick<FetchedOutputs, 'files' | 'error' | 'published'>>
  read(index: number, offset: number): Promise<Uint8Array>
}

const RECORD = 'outputs.json'
const FILES = 'outputs'
const PARTS = 'outputs.part'
const HASHED_AT_ONCE = 1024 * 1024
const MAX_RECORD = 8 * 1024 * 1024

/** What is known of the outputs of an allocation, whose directory this is; `undefined` before any were listed. */
export async function readFetched(directory: string): Promise<FetchedOutputs | undefined> {
  try {
    const path = join(directory, RECORD)
    if ((await stat(path)).size > MAX_RECORD) return undefined
    const parsed = parseJson(await readFile(path, 'utf8'))
    return parsed.ok ? toFetched(parsed.value) : undefined
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Where a fetched file lies. */
export function fetchedPath(directory: string, path: string): string {
  return join(directory, FILES, path)
}

/** Whether a listed file is here, whole and verified. */
export async function isFetched(directory: string, { path, size }: ListedOutput): Promise<boolean> {
  return (await sizeAt(fetchedPath(directory, path))) === size
}

/** A piece of a fetched file. */
export async function readFetchedFile(directory: string, path: string, offset: number, maxBytes: number): Promise<Uint8Array> {
  const file = await open(fetchedPath(directory, path), 'r')
  try {
    const { size } = await file.stat()
    const data = Buffer.alloc(Math.max(0, Math.min(maxBytes, size - offset)))
    const { bytesRead } = await file.read(data, 0, data.length, offset)
    return data.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/**
 * Fetches what is missing of an allocation's outputs. The list is written down first; a file is at its place once it has the checksum
 * that its provider told, and what an earlier try fetched of it is not fetched again.
 *
 * @param room - More bytes than the job was promised on its disk are not taken.
 * @throws BadOutputsError for what no honest provider sends.
 */
export async function fetchOutputs(source: OutputSource, directory: string, room: number): Promise<void> {
  const known = await readFetched(directory)
  if (known?.isComplete === true) return
  const listed = known ?? { ...(await source.list()), isComplete: false }
  checkListed(listed.files, room)
  await mkdir(directory, { recursive: true, mode: 0o755 })
  await writeFetched(directory, listed)
  for (const [index, file] of listed.files.entries()) {
    if (!(await isFetched(directory, file))) await fetchOne(source, directory, index, file)
  }
  await writeFetched(directory, { ...listed, isComplete: true })
  await rm(join(directory, PARTS), { recursive: true, force: true })
}

/** Notes why the outputs are not, and will not be, complete. */
export async function giveUpOutputs(directory: string, error: string): Promise<void> {
  const known = await readFetched(directory)
  if (known?.isComplete === true) return
  await mkdir(directory, { recursive: true, mode: 0o755 })
  await writeFetched(directory, { files: [], published: '', ...known, error, isComplete: false })
}

function checkListed(files: readonly ListedOutput[], room: number): void {
  const bad = files.find(({ path, sha256 }) => !isRelativePath(path) || !/^[0-9a-f]{64}$/.test(sha256))
  if (bad !== undefined) throw new BadOutputsError(`${JSON.stringify(bad.path.slice(0, 200))} is no output that could be kept`)
  const clash = clashIn(files.map(({ path }) => path))
  if (clash !== undefined)
    throw new BadOutputsError(`${JSON.stringify(clash)} is among the outputs twice, or a file and a directory`)
  const size = files.reduce((sum, file) => sum + file.size, 0)
  if (size > room) throw new BadOutputsError(`outputs of ${size} bytes are announced; the job has ${room} bytes of disk`)
}

async function fetchOne(
  source: OutputSource,
  directory: string,
  index: number,
  { path, size, sha256 }: ListedOutput
): Promise<void> {
  await mkdir(join(directory, PARTS), { recursive: true, mode: 0o700 })
  const part = join(directory, PARTS, String(index))
  const file = await openPart(part)
  try {
    const hash = createHash('sha256')
    let received = await resume(file, hash, size)
    while (received < size) {
      const piece = await source.read(index, received)
      if (piece.length === 0 || received + piece.length > size) {
        throw new BadOutputsError(`${JSON.stringify(path)} has not the ${size} bytes that were announced`)
      }
      await file.write(piece, 0, piece.length, received)
      hash.update(piece)
      received += piece.length
    }
    if (hash.digest('hex') !== sha256) {
      await file.truncate(0)
      throw new BadOutputsError(`${JSON.stringify(path)} has another checksum than was announced`)
    }
    await file.chmod(0o644)
    await file.sync()
  } finally {
    await file.close()
  }
  const target = fetchedPath(directory, path)
  await mkdir(dirname(target), { recursive: true, mode: 0o755 })
  await rename(part, target)
}

async function openPart(path: string): Promise<FileHandle> {
  const made = await open(path, 'a', 0o600)
  await made.close()
  return await open(path, 'r+')
}

async function resume(file: FileHandle, hash: Hash, most: number): Promise<number> {
  const { size } = await file.stat()
  if (size > most) {
    await file.truncate(0)
    return 0
  }
  const buffer = Buffer.alloc(Math.min(Math.max(size, 1), HASHED_AT_ONCE))
  let read = 0
  while (read < size) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, read)
    if (bytesRead === 0) break
    hash.update(buffer.subarray(0, bytesRead))
    read += bytesRead
  }
  return read
}

async function writeFetched(directory: string, outputs: FetchedOutputs): Promise<void> {
  const temporary = join(directory, `${RECORD}.tmp`)
  const file = await open(temporary, 'w', 0o644)
  try {
    await file.writeFile(JSON.stringify(outputs))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, join(directory, RECORD))
}

async function sizeAt(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path)
    return found.isFile() ? found.size : undefined
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return undefined
    throw error
  }
}

function toFetched(value: JsonValue): FetchedOutputs | undefined {
  const { files, error, published, isComplete } = isJsonObject(value) ? value : {}
  if (!Array.isArray(files) || typeof error !== 'string' || typeof published !== 'string') return undefined
  return { files: (files as readonly JsonValue[]).flatMap(toListed), error, published, isComplete: isComplete === true }
}

function toListed(value: JsonValue): readonly ListedOutput[] {
  const { path, size, sha256 } = isJsonObject(value) ? value : {}
  return typeof path === 'string' && typeof size === 'number' && typeof sha256 === 'string' ? [{ path, size, sha256 }] : []
}
