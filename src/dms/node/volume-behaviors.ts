import type { Actor } from '../../actor/index.ts'
import { VOLUME_PAGE, volumesDelete, volumesList } from '../../protocol/index.ts'
import type { Volumes } from '../../storage/index.ts'
import { UnknownVolumeError } from './errors.ts'

const MAX_USERS = 64

/** Serves `/dms/node/volumes/…`; a node that gives no volumes has none. */
export function serveVolumeBehaviors(actor: Actor, volumes: Pick<Volumes, 'list' | 'remove'> | undefined): void {
  actor.on(volumesList, async ({ limit = VOLUME_PAGE, offset = 0 }) => {
    const all = (await volumes?.list()) ?? []
    const end = offset + Math.min(limit === 0 ? VOLUME_PAGE : limit, VOLUME_PAGE)
    return {
      volumes: all.slice(offset, end).map(({ kind, owner, name, size, used, users }) => ({
        ...{ type: kind, owner, name, size, used },
        usedBy: users.slice(0, MAX_USERS)
      })),
      error: '',
      total: all.length,
      hasMore: end < all.length
    }
  })
  actor.on(volumesDelete, async ({ owner, name }) => {
    if ((await volumes?.remove({ owner, name })) !== true) {
      throw new UnknownVolumeError(`there is no volume ${JSON.stringify(name)} of ${JSON.stringify(owner)}`)
    }
    return { ok: true, error: '' }
  })
}
