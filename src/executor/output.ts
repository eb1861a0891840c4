import type { AbortOptions, Clock } from '../base/index.ts'
import { millis } from '../base/index.ts'
import type { LogChunk } from './executor.ts'
import { readAt } from './files.ts'

const CHUNK = 65_536
const POLL = millis(100)

/** Where the output of a run is written. */
export interface OutputFiles {
  readonly stdout: string
  readonly stderr: string
}

/** Reads both streams from their beginning; goes on until `hasEnded` when there is such a function. */
export async function* readOutput(
  files: OutputFiles,
  clock: Clock,
  hasEnded: (() => Promise<boolean>) | undefined,
  options: AbortOptions
): AsyncGenerator<LogChunk> {
  const streams = [
    { stream: 'stdout', path: files.stdout },
    { stream: 'stderr', path: files.stderr }
  ] as const
  const offsets = { stdout: 0, stderr: 0 }
  for (;;) {
    const isLast = hasEnded === undefined || (await hasEnded()) // asked before reading, so nothing written before the end is missed
    for (const { stream, path } of streams) {
      for await (const data of readFrom(path, offsets[stream])) {
        offsets[stream] += data.length
        yield { stream, data }
      }
    }
    if (isLast) return
    await clock.sleep(POLL, options)
  }
}

async function* readFrom(path: string, start: number): AsyncGenerator<Uint8Array> {
  let offset = start
  for (;;) {
    const data = await readAt(path, offset, CHUNK)
    if (data === undefined || data.length === 0) return
    offset += data.length
    yield data
  }
}
