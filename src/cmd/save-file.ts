import { createHash, type Hash } from 'node:crypto'
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasErrno } from '../base/index.ts'
import { BadReplyError } from '../client/index.ts'
import { NotReplacedError } from './errors.ts'

/** A file that comes in pieces. */
export interface SavedFile {
  readonly path: string
  readonly size: number
  /** In hexadecimal digits. */
  readonly sha256: string
  /** A piece from `offset` on. */
  read(offset: number): Promise<Uint8Array>
}

const HASHED_AT_ONCE = 1024 * 1024

/**
 * Writes a file, beside its place until it is whole and verified; what an interrupted command left there is gone on with.
 *
 * @returns False: the same file was there already.
 * @throws NotReplacedError when another file is there, BadReplyError when what comes is not what was announced.
 */
export async function saveFile(file: SavedFile): Promise<boolean> {
  const there = await hashOf(file.path)
  if (there?.hash.digest('hex') === file.sha256) return false
  if (there !== undefined) throw new NotReplacedError(`${file.path} is there already and has other content: move it away first`)
  await mkdir(dirname(file.path), { recursive: true })
  const part = `${file.path}.part`
  const begun = await hashOf(part)
  const handle = await open(part, begun === undefined ? 'wx' : 'r+')
  try {
    const isUsable = begun !== undefined && begun.size <= file.size
    if (!isUsable) await handle.truncate(0)
    const hash = isUsable ? begun.hash : createHash('sha256')
    let written = isUsable ? begun.size : 0
    while (written < file.size) {
      const piece = await file.read(written)
      if (piece.length === 0 || written + piece.length > file.size) throw wrong(file)
      await handle.write(piece, 0, piece.length, written)
      hash.update(piece)
      written += piece.length
    }
    if (hash.digest('hex') !== file.sha256) {
      await handle.truncate(0)
      throw wrong(file)
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(part, file.path)
  return true
}

function wrong({ path, size }: SavedFile): BadReplyError {
  return new BadReplyError(`what the node sends for ${path} is not the ${size} bytes that it has announced`)
}

async function hashOf(path: string): Promise<{ readonly hash: Hash; readonly size: number } | undefined> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT')) throw error
  })
  if (handle === undefined) return undefined
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.alloc(HASHED_AT_ONCE)
    let size = 0
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, size)
      if (bytesRead === 0) return { hash, size }
      hash.update(buffer.subarray(0, bytesRead))
      size += bytesRead
    }
  } finally {
    await handle.close()
  }
}
