import { type AbortOptions, type Clock, type Millis, setAlarm } from '../base/index.ts'
import { StorageUnavailableError } from './errors.ts'

/** One file of a service. */
export interface RemoteFile {
  /** Where it belongs below the volume; free of what leads elsewhere. */
  readonly path: string
  /** What the service calls it. */
  readonly name: string
  /** In bytes; absent when only its coming tells. */
  readonly size?: number
  /** What the service calls this version of it, so that no two are mixed; empty: nothing. */
  readonly version: string
  /** What its content must have. */
  readonly checksum?: Checksum
}

/** A checksum in hexadecimal digits, lower case. */
export interface Checksum {
  readonly algorithm: 'sha256' | 'md5'
  readonly hex: string
}

/** A file that begins to come. */
export interface RemoteBody {
  /** Where it begins: where it was asked for, or 0 when the service gives whole files only. */
  readonly from: number
  readonly pieces: AsyncIterable<Uint8Array>
}

/** Where files are fetched from. */
export interface RemoteSource {
  /** What is to be fetched; sizes and versions as they are now. */
  list(options: AbortOptions): Promise<readonly RemoteFile[]>
  /** @throws STORAGE_CHECKSUM when the file is another version by now, STORAGE_UNAVAILABLE when a retry may help. */
  read(file: RemoteFile, from: number, options: AbortOptions): Promise<RemoteBody>
  close(): void
}

/** How long a sender may be silent. */
export interface Patience {
  readonly clock: Clock
  readonly limit: Millis
  /** Named in the error. */
  readonly host: string
  /** Breaks the connection off. */
  end(): void
}

/**
 * The same pieces; breaks off when none comes for too long. The time that the receiver takes is not the sender's.
 *
 * @throws StorageUnavailableError for a stalled or broken connection.
 */
export async function* patiently(
  pieces: AsyncIterable<unknown>,
  { clock, limit, host, end }: Patience
): AsyncGenerator<Uint8Array> {
  const watch = { isStalled: false }
  const ring = (): void => {
    watch.isStalled = true
    end()
  }
  let endAlarm = setAlarm(clock, limit, ring)
  try {
    for await (const piece of pieces) {
      endAlarm()
      if (piece instanceof Uint8Array) yield piece
      endAlarm = setAlarm(clock, limit, ring)
    }
  } catch (error) {
    const text = error instanceof Error ? error.message : 'the connection broke'
    throw new StorageUnavailableError(watch.isStalled ? `${host} sent nothing for ${limit} ms` : `${host}: ${text}`, {
      cause: error
    })
  } finally {
    endAlarm()
    end()
  }
}
