import { define } from './behavior.ts'
import { flag, integer, list, maybe, measured, member, object, text } from './codec.ts'

/** Volumes on one page at most, and when no limit is asked for. */
export const VOLUME_PAGE = 200

const size = measured('bytes', integer({ min: 0 }))

/** The named volumes of this machine. */
export const volumesList = define({
  name: '/dms/node/volumes/list',
  callers: 'root',
  summary:
    'The named volumes that jobs left on this machine, each with the DID whose jobs may use it. `used_by` names at most 64 jobs; a volume that none uses may be deleted.',
  request: object({ limit: maybe('limit', integer({ min: 0 })), offset: maybe('offset', integer({ min: 0 })) }),
  reply: object({
    volumes: member(
      'volumes',
      list(
        object({
          type: member('type', text(32)),
          owner: member('owner', text(512)),
          name: member('name', text(128)),
          size: member('size', size),
          used: member('used', size),
          usedBy: member('used_by', list(text(512), 64))
        }),
        VOLUME_PAGE
      )
    ),
    error: member('error', text()),
    total: member('total', integer()),
    hasMore: member('has_more', flag)
  })
})

/** Ends a named volume. */
export const volumesDelete = define({
  name: '/dms/node/volumes/delete',
  callers: 'root',
  summary: 'Deletes a named volume and what is in it; refused while a job uses it.',
  request: object({ owner: member('owner', text(512)), name: member('name', text(128)) }),
  reply: object({ ok: member('ok', flag), error: member('error', text()) })
})
