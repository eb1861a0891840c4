import type { AbortOptions } from '../../base/index.ts'
import type { JobOutput, StreamName } from '../output.ts'
import type { Orchestrator } from './orchestrator.ts'
import type { Plan } from './plan.ts'

const STREAMS: readonly StreamName[] = ['stdout', 'stderr']

/**
 * Fetches what is missing of an allocation's output into its files, in pieces from where the files end.
 *
 * Resolves with whether the output is complete: false while the allocation still runs.
 */
export async function saveOutput(
  orchestrator: Orchestrator,
  output: JobOutput,
  deploymentId: string,
  plan: Plan,
  key: string,
  options: AbortOptions
): Promise<boolean> {
  const directory = await output.prepare(deploymentId, key)
  let isComplete = true
  for (const stream of STREAMS) {
    for (;;) {
      const offset = await output.size(directory, stream)
      const { data, eof } = await orchestrator.readOutput(plan, key, stream, offset, options)
      await output.append(directory, stream, data, offset)
      if (eof) break
      if (data.length === 0 || (await output.size(directory, stream)) === offset) {
        isComplete = false
        break
      }
    }
  }
  return isComplete
}
