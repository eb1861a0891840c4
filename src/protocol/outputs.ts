import { define, type PublicBehavior } from './behavior.ts'
import { binary, flag, integer, list, maybe, member, object, text, type ValueOf } from './codec.ts'

/** Files on one page of a list of outputs, and bytes in one piece of one. */
export const OUTPUT_PAGE = 256
export const OUTPUT_PIECE = 524_288

/** Files that one job may leave. */
export const MAX_OUTPUT_FILES = 4096

const allocationId = text(256)
const sha256 = text(64)

const listRequest = object({
  allocation: member('AllocName', allocationId),
  offset: member('offset', integer({ min: 0 })),
  limit: member('limit', integer({ min: 0, max: OUTPUT_PAGE }))
})

const listReply = object({
  files: member(
    'files',
    list(
      object({ path: member('path', text(1024)), size: member('size', integer({ min: 0 })), sha256: member('sha256', sha256) }),
      OUTPUT_PAGE
    )
  ),
  total: member('total', integer({ min: 0, max: MAX_OUTPUT_FILES })),
  error: member('error', text()),
  published: maybe('published', text())
})

/** What a job left in its directory of outputs: ours. */
export function allocationOutputs(ensemble: string): PublicBehavior<ValueOf<typeof listRequest>, ValueOf<typeof listReply>> {
  return define({
    name: `/dms/ensemble/${ensemble}/allocation/outputs`,
    callers: 'ensemble',
    summary:
      'The files that an ended allocation left in its outputs, a page of at most 256 from a place in the list on; `error` says what was left out.',
    request: listRequest,
    reply: listReply
  })
}

const readRequest = object({
  allocation: member('AllocName', allocationId),
  index: member('index', integer({ min: 0 })),
  offset: member('offset', integer({ min: 0 })),
  maxBytes: member('max_bytes', integer({ min: 0, max: OUTPUT_PIECE }))
})

const readReply = object({ totalSize: member('total_size', integer({ min: 0 })), data: member('data', binary(OUTPUT_PIECE)) })

/** A piece of an output: ours. */
export function allocationOutputsRead(ensemble: string): PublicBehavior<ValueOf<typeof readRequest>, ValueOf<typeof readReply>> {
  return define({
    name: `/dms/ensemble/${ensemble}/allocation/outputs/read`,
    callers: 'ensemble',
    summary:
      'A piece of a file that an allocation left in its outputs, at most 512 KiB; files are named by their place in the list.',
    request: readRequest,
    reply: readReply
  })
}

const ensembleId = text(128)

/** Outputs that this node has fetched, or is fetching: ours. */
export const deploymentOutputs = define({
  name: '/dms/node/deployment/outputs',
  callers: 'root',
  summary:
    'The outputs of a deployment that are on this machine or on their way, a page of at most 256. They are fetched when a job ends and stay when its provider goes.',
  request: object({
    id: member('EnsembleID', ensembleId, 'id'),
    allocation: maybe('AllocationName', text(256), 'allocation'),
    limit: maybe('limit', integer({ min: 0 })),
    offset: maybe('offset', integer({ min: 0 }))
  }),
  reply: object({
    outputs: member(
      'outputs',
      list(
        object({
          allocation: member('allocation', text(256)),
          path: member('path', text(1024)),
          size: member('size', integer({ min: 0 })),
          sha256: member('sha256', sha256),
          isHere: member('here', flag)
        }),
        OUTPUT_PAGE
      )
    ),
    notes: member(
      'notes',
      list(
        object({
          allocation: member('allocation', text(256)),
          directory: member('directory', text()),
          complete: member('complete', flag),
          error: member('error', text()),
          published: member('published', text())
        }),
        256
      )
    ),
    error: member('error', text()),
    total: member('total', integer()),
    hasMore: member('has_more', flag)
  })
})

/** A piece of an output on this machine: ours. */
export const deploymentOutputsRead = define({
  name: '/dms/node/deployment/outputs/read',
  callers: 'root',
  summary: 'A piece of an output that is on this machine, at most 512 KiB.',
  request: object({
    id: member('EnsembleID', ensembleId, 'id'),
    allocation: member('AllocationName', text(256), 'allocation'),
    path: member('path', text(1024)),
    offset: maybe('offset', integer({ min: 0 })),
    maxBytes: maybe('max_bytes', integer({ min: 0, max: OUTPUT_PIECE }))
  }),
  reply: object({
    totalSize: member('total_size', integer({ min: 0 })),
    data: member('data', binary(OUTPUT_PIECE)),
    error: member('error', text())
  })
})
