import { define } from './behavior.ts'
import { flag, integer, list, maybe, member, object, text } from './codec.ts'
import { instant } from './common.ts'
import { resources } from './resources.ts'

/** Allocations on one page at most, and when no limit is asked for. */
export const ALLOCATION_PAGE = 200

/** The workloads of others on this machine. */
export const allocationsList = define({
  name: '/dms/node/allocations/list',
  callers: 'root',
  summary:
    'The jobs of others on this machine, the oldest first. `status` picks states; a page has at most 200 entries, and `next_offset` is where the next one begins.',
  request: object({
    limit: maybe('limit', integer({ min: 0 })),
    offset: maybe('offset', integer({ min: 0 })),
    status: maybe('status', list(text(32), 16))
  }),
  reply: object({
    allocations: member(
      'allocations',
      list(
        object({
          id: member('id', text()),
          status: member('status', text(32)),
          type: maybe('type', text(32)),
          ensembleId: maybe('ensemble_id', text()),
          nodeId: maybe('node_id', text()),
          owner: maybe('owner', text(512)),
          executor: member('executor', text(64)),
          containerId: maybe('container_id', text()),
          resources: member('resources', resources),
          usingPorts: maybe('using_ports', list(integer(), 64)),
          createdAt: maybe('created_at', instant),
          startedAt: maybe('started_at', instant),
          endedAt: maybe('ended_at', instant),
          exitCode: maybe('exit_code', integer()),
          error: maybe('error', text(16_384))
        }),
        ALLOCATION_PAGE
      )
    ),
    error: maybe('error', text()),
    total: maybe('total', integer()),
    hasMore: maybe('has_more', flag),
    nextOffset: maybe('next_offset', integer())
  })
})
