import type { LogChunk } from '../../executor/index.ts'
import type { JobOutput, StreamName } from '../output.ts'

/**
 * Writes a workload's output to its files.
 *
 * The executor always delivers the whole output from its beginning; after a restart of the daemon, as many bytes are skipped
 * as the files hold already, so nothing is lost and nothing doubled.
 */
export async function captureOutput(output: JobOutput, directory: string, chunks: AsyncIterable<LogChunk>): Promise<void> {
  const toSkip: Record<StreamName, number> = {
    stdout: await output.size(directory, 'stdout'),
    stderr: await output.size(directory, 'stderr')
  }
  for await (const { stream, data } of chunks) {
    const skipped = Math.min(toSkip[stream], data.length)
    toSkip[stream] -= skipped
    if (skipped < data.length) await output.append(directory, stream, data.subarray(skipped))
  }
}
