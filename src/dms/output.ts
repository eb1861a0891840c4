import { constants } from 'node:fs'
import { mkdir, open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DmsError, hasErrno } from '../base/index.ts'

/** The two output streams of a job. */
export type StreamName = 'stdout' | 'stderr'

/** A piece of a job's output. */
export interface OutputPiece {
  readonly data: Uint8Array
  /** Bytes in the whole stream so far. */
  readonly total: number
}

/**
 * The output of jobs, one directory each with `stdout.log` and `stderr.log`.
 *
 * A stream is cut at {@link MAX_STREAM_BYTES}: what a job writes beyond is dropped, so that no job fills the disk (C §15.4, 12).
 */
export interface JobOutput {
  /** Creates the directory of a job and returns its absolute path. Errors: `DMS_OUTPUT_BAD_NAME`. */
  prepare(...names: readonly string[]): Promise<string>
  /** The directory of a job, whether it exists or not. Errors: `DMS_OUTPUT_BAD_NAME`. */
  directory(...names: readonly string[]): string
  /** Writes at the end, or at `offset`: the same piece written twice is there once. */
  append(directory: string, stream: StreamName, data: Uint8Array, offset?: number): Promise<void>
  size(directory: string, stream: StreamName): Promise<number>
  read(directory: string, stream: StreamName, offset: number, maxBytes: number): Promise<OutputPiece>
  remove(directory: string): Promise<void>
}

/** Largest kept output of one stream. */
export const MAX_STREAM_BYTES = 16 * 2 ** 20

/** A name would leave the directory of the jobs. */
export class BadOutputNameError extends DmsError {
  readonly code = 'DMS_OUTPUT_BAD_NAME'
  readonly kind = 'invalid'
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/

/** Creates the output store below a directory; directories get `mode`, files the same without the execute bits. */
export function createJobOutput(root: string, mode: number): JobOutput {
  function directory(...names: readonly string[]): string {
    for (const name of names) {
      if (!NAME.test(name)) throw new BadOutputNameError(`${JSON.stringify(name)} cannot name a directory of a job`)
    }
    return join(root, ...names)
  }

  async function size(path: string, stream: StreamName): Promise<number> {
    try {
      return (await stat(join(path, `${stream}.log`))).size
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return 0
      throw error
    }
  }

  return {
    directory,
    async prepare(...names) {
      const path = directory(...names)
      await mkdir(path, { recursive: true, mode })
      return path
    },
    async append(path, stream, data, offset) {
      const at = offset ?? (await size(path, stream))
      const room = MAX_STREAM_BYTES - at
      if (room <= 0) return
      const file = await open(join(path, `${stream}.log`), constants.O_WRONLY | constants.O_CREAT, mode & 0o666)
      try {
        await file.write(data, 0, Math.min(room, data.length), at)
      } finally {
        await file.close()
      }
    },
    size,
    async read(path, stream, offset, maxBytes) {
      let file: Awaited<ReturnType<typeof open>>
      try {
        file = await open(join(path, `${stream}.log`), 'r')
      } catch (error) {
        if (hasErrno(error, 'ENOENT')) return { data: new Uint8Array(), total: 0 }
        throw error
      }
      try {
        const { size: totalSize } = await file.stat()
        const length = Math.max(0, Math.min(maxBytes, totalSize - offset))
        const buffer = new Uint8Array(length)
        const { bytesRead } = length === 0 ? { bytesRead: 0 } : await file.read(buffer, 0, length, offset)
        return { data: buffer.subarray(0, bytesRead), total: totalSize }
      } finally {
        await file.close()
      }
    },
    remove: (path) => rm(path, { recursive: true, force: true })
  }
}
