import { define } from './behavior.ts'
import { flag, integer, list, maybe, measured, member, object, text } from './codec.ts'
import { instant } from './common.ts'

/** Artefacts on one page at most, and when no limit is asked for. */
export const ARTIFACT_PAGE = 200

const size = measured('bytes', integer({ min: 0 }))

const artifact = object({
  kind: member('kind', text(32)),
  digest: member('digest', text(128)),
  references: member('references', list(text(1024), 16)),
  size: member('size', size),
  createdAt: member('created_at', instant),
  usedAt: member('used_at', instant),
  usedBy: member('used_by', list(text(512), 64))
})

/** What the node keeps of registries. */
export const artifactsList = define({
  name: '/dms/node/artifacts/list',
  callers: 'root',
  summary:
    'The images and artefacts that the node keeps for its jobs, the last used first. `used_by` names at most 64 jobs; what none uses may be removed. Images share layers, so `total_size` is less than the sum.',
  request: object({ limit: maybe('limit', integer({ min: 0 })), offset: maybe('offset', integer({ min: 0 })) }),
  reply: object({
    artifacts: member('artifacts', list(artifact, ARTIFACT_PAGE)),
    error: member('error', text()),
    totalSize: member('total_size', size),
    total: member('total', integer()),
    hasMore: member('has_more', flag)
  })
})

/** Makes room. */
export const artifactsPrune = define({
  name: '/dms/node/artifacts/prune',
  callers: 'root',
  summary:
    'Removes images and artefacts that no job uses: all of them, those that were last used before a time, or the least recently used until what is left takes no more than a size.',
  request: object({ usedBefore: maybe('used_before', instant), downTo: maybe('down_to', size) }),
  reply: object({
    removed: member('removed', list(artifact, ARTIFACT_PAGE)),
    error: member('error', text()),
    freed: member('freed', size),
    total: member('total', integer())
  })
})
