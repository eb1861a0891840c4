import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, rename } from 'node:fs/promises'
import { type AbortOptions, CancelledError, type Clock, millis } from '../base/index.ts'
import { StorageChecksumError, StorageQuotaError, StorageUnavailableError } from './errors.ts'
import type { Checksum, RemoteFile, RemoteSource } from './remote.ts'

/** Fetches one file to its place. */
export interface ReceiveOptions extends AbortOptions {
  readonly source: RemoteSource
  readonly file: RemoteFile
  /** Where it is put once it is whole and verified. */
  readonly path: string
  /** Where it lies until then, on the same file system; what an earlier try left there is gone on with. */
  readonly part: string
  /** More bytes than this are refused. */
  readonly room: number
  readonly clock: Clock
  /** Told of every piece; negative when what came before counts no more. */
  onBytes(count: number): void
}

/** Tries in a row that bring not one byte. */
const FRUITLESS_TRIES = 4
/** A service that gives a few bytes each time does not keep us for ever. */
const TRIES = 50
const PAUSE = millis(250)
const HASHED_AT_ONCE = 1024 * 1024

interface Progress {
  hash: Hash
  received: number
}

/**
 * Fetches a file: goes on after a dropped connection, or a dead process, where it ended.
 *
 * @returns The bytes that it has.
 * @throws StorageChecksumError, StorageQuotaError, StorageUnavailableError; nothing is at `path` then.
 */
export async function receiveFile(options: ReceiveOptions): Promise<number> {
  const { file, part, path } = options
  const handle = await open(part, 'a+', 0o600).then(async (made) => {
    await made.close()
    return await open(part, 'r+')
  })
  try {
    const progress = await resume(handle, options)
    await receiveAll(options, handle, progress)
    verify(file, progress)
    await handle.chmod(0o644)
    await handle.sync()
    await rename(part, path)
    return progress.received
  } finally {
    await handle.close()
  }
}

/** What an earlier try left, with its hash; nothing of a file that could be another by now. */
async function resume(handle: FileHandle, { file, onBytes }: ReceiveOptions): Promise<Progress> {
  const progress: Progress = { hash: newHash(file.checksum), received: 0 }
  const { size } = await handle.stat()
  const isUsable = (file.version !== '' || file.checksum !== undefined) && size <= (file.size ?? Number.POSITIVE_INFINITY)
  if (!isUsable) {
    await handle.truncate(0)
    return progress
  }
  const buffer = Buffer.alloc(Math.min(size, HASHED_AT_ONCE))
  while (progress.received < size) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, progress.received)
    if (bytesRead === 0) break
    progress.hash.update(buffer.subarray(0, bytesRead))
    progress.received += bytesRead
  }
  onBytes(progress.received)
  return progress
}

async function receiveAll(options: ReceiveOptions, handle: FileHandle, progress: Progress): Promise<void> {
  const { file, signal, clock } = options
  if (file.size === progress.received) return
  let fruitless = 0
  for (let tries = 1; ; tries += 1) {
    const before = progress.received
    try {
      await receive(options, handle, progress)
      if (file.size === undefined || progress.received === file.size) return
      throw new StorageUnavailableError(`${file.name} broke off after ${progress.received} of ${file.size} bytes`)
    } catch (error) {
      if (signal?.aborted === true) throw new CancelledError(`fetching ${file.name} was cancelled`, { cause: error })
      fruitless = progress.received > before ? 0 : fruitless + 1
      const isPassing = error instanceof StorageUnavailableError
      if (!isPassing || fruitless === FRUITLESS_TRIES || tries === TRIES) throw error
      await clock.sleep(millis(PAUSE * 2 ** fruitless), signal === undefined ? {} : { signal })
    }
  }
}

async function receive(options: ReceiveOptions, handle: FileHandle, progress: Progress): Promise<void> {
  const { source, file, room, onBytes, signal } = options
  const body = await source.read(file, progress.received, signal === undefined ? {} : { signal })
  if (body.from !== progress.received) {
    onBytes(-progress.received)
    await handle.truncate(0)
    progress.received = 0
    progress.hash = newHash(file.checksum)
  }
  for await (const piece of body.pieces) {
    if (signal?.aborted === true) throw new CancelledError(`fetching ${file.name} was cancelled`)
    const after = progress.received + piece.length
    if (file.size !== undefined && after > file.size) {
      throw new StorageChecksumError(`${file.name} has more than the ${file.size} bytes that were announced`)
    }
    if (after > room) throw new StorageQuotaError(`${file.name} has more than the ${room} bytes that are left for it`)
    await handle.write(piece, 0, piece.length, progress.received)
    progress.hash.update(piece)
    progress.received = after
    onBytes(piece.length)
  }
}

function verify({ name, checksum }: RemoteFile, { hash }: Progress): void {
  if (checksum === undefined) return
  const found = hash.digest('hex')
  if (found === checksum.hex) return
  throw new StorageChecksumError(`${name} has ${checksum.algorithm} ${found}, not ${checksum.hex}`)
}

function newHash(checksum: Checksum | undefined): Hash {
  return createHash(checksum?.algorithm ?? 'sha256')
}
