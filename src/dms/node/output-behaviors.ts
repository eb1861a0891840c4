import type { Actor } from '../../actor/index.ts'
import { deploymentOutputs, deploymentOutputsRead, OUTPUT_PAGE, OUTPUT_PIECE } from '../../protocol/index.ts'
import type { Deployments } from '../deployment/index.ts'

/** Serves `/dms/node/deployment/outputs` and `…/read`: what was fetched of jobs that have ended. */
export function serveOutputBehaviors(actor: Actor, deployments: Deployments): void {
  actor.on(deploymentOutputs, async ({ id, allocation, limit = OUTPUT_PAGE, offset = 0 }) => {
    const found = await deployments.outputs(id, allocation)
    const all = found.flatMap(({ key, files }) => files.map((file) => ({ allocation: key, ...file })))
    const end = offset + Math.min(limit === 0 ? OUTPUT_PAGE : limit, OUTPUT_PAGE)
    return {
      outputs: all.slice(offset, end),
      notes: found.map(({ key, directory, isComplete, error, published }) => {
        return { allocation: key, directory, complete: isComplete, error, published }
      }),
      error: '',
      total: all.length,
      hasMore: end < all.length
    }
  })
  actor.on(deploymentOutputsRead, async ({ id, allocation, path, offset = 0, maxBytes = OUTPUT_PIECE }) => {
    const { data, size } = await deployments.readOutputFile(id, allocation, {
      path,
      offset,
      maxBytes: maxBytes === 0 ? OUTPUT_PIECE : maxBytes
    })
    return { totalSize: size, data, error: '' }
  })
}
