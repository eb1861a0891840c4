import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { type AbortOptions, type Clock, millis } from '../base/index.ts'
import type { Answer } from './connection.ts'
import { place, toStoreError } from './durable.ts'
import { ImageRegistryFailedError } from './errors.ts'
import type { Descriptor } from './manifest.ts'
import { isPassing, type RegistrySession, wrongDigest } from './registry.ts'
import type { ImageSource } from './source.ts'

/** Fetches one blob to its place. */
export interface DownloadOptions extends AbortOptions {
  readonly session: RegistrySession
  readonly source: ImageSource
  readonly blob: Descriptor
  readonly path: string
  /** On the same file system. */
  readonly temporary: string
  readonly clock: Clock
  /** Told of every piece; negative when what came before counts no more. */
  onBytes(count: number): void
}

/** Tries in a row that bring not one byte. */
const FRUITLESS_TRIES = 4
/** A registry that gives a few bytes each time does not keep us for ever. */
const TRIES = 50
const PAUSE = millis(250)

interface Progress {
  hash: Hash
  received: number
}

/**
 * Fetches a blob: goes on after a dropped connection where it ended, and looks at the digest while it streams.
 *
 * @throws ImageWrongDigestError, ImageStalledError, ImageRegistryFailedError; nothing is left at `path` nor `temporary` then.
 */
export async function downloadBlob(options: DownloadOptions): Promise<void> {
  const { blob, path, temporary, source } = options
  const progress: Progress = { hash: createHash('sha256'), received: 0 }
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await receiveAll(options, file, progress)
      await file.sync()
    } finally {
      await file.close()
    }
    const digest = `sha256:${progress.hash.digest('hex')}`
    if (digest !== blob.digest) throw wrongDigest('a blob', blob.digest, digest, source)
    await place(temporary, path)
  } catch (error) {
    options.onBytes(-progress.received)
    await rm(temporary, { force: true })
    throw toStoreError(error, `cannot keep ${blob.digest}`)
  }
}

async function receiveAll(options: DownloadOptions, file: FileHandle, progress: Progress): Promise<void> {
  let fruitless = 0
  for (let tries = 1; progress.received < options.blob.size || tries === 1; tries += 1) {
    const before = progress.received
    try {
      await receive(options, file, progress)
      if (progress.received < options.blob.size) throw new ImageRegistryFailedError(endedEarly(options, progress))
    } catch (error) {
      fruitless = progress.received > before ? 0 : fruitless + 1
      if (!isPassing(error) || fruitless === FRUITLESS_TRIES || tries === TRIES) throw error
      await options.clock.sleep(millis(PAUSE * (fruitless + 1)), signalOf(options))
    }
  }
}

function signalOf({ signal }: AbortOptions): AbortOptions {
  return signal === undefined ? {} : { signal }
}

function endedEarly({ blob, source }: DownloadOptions, { received }: Progress): string {
  return `${source.registry} broke off after ${received} of ${blob.size} bytes of ${blob.digest}`
}

async function receive(options: DownloadOptions, file: FileHandle, progress: Progress): Promise<void> {
  const { session, blob, onBytes, source } = options
  const answer = await session.blob(blob.digest, progress.received, signalOf(options))
  if (progress.received > 0 && !continues(answer, progress.received)) {
    onBytes(-progress.received)
    progress.received = 0
    progress.hash = createHash('sha256')
  }
  for await (const piece of answer.body()) {
    if (progress.received + piece.length > blob.size) {
      answer.drop()
      throw wrongDigest('a blob', blob.digest, `of more than ${blob.size} bytes`, source)
    }
    progress.hash.update(piece)
    await file.write(piece, 0, piece.length, progress.received)
    progress.received += piece.length
    onBytes(piece.length)
  }
}

function continues({ status, headers }: Answer, from: number): boolean {
  return status === 206 && (headers['content-range'] ?? '').startsWith(`bytes ${from}-`)
}
