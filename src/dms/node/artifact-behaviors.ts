import type { Actor } from '../../actor/index.ts'
import { type Bytes, bytes, type Millis, millis } from '../../base/index.ts'
import { ARTIFACT_PAGE, artifactsList, artifactsPrune } from '../../protocol/index.ts'
import { BadRequestError } from './errors.ts'

/** An image or artefact that is kept on this machine. */
export interface KeptArtifact {
  readonly kind: string
  readonly digest: string
  readonly references: readonly string[]
  readonly size: Bytes
  readonly createdAt: Millis
  readonly usedAt: Millis
  readonly usedBy: readonly string[]
}

/** PORT: what this machine keeps for its jobs; declared here, satisfied by `image`. */
export interface ArtifactStore {
  /** The last used first. */
  list(): readonly KeptArtifact[]
  /** All of it on the disk. */
  size(): Bytes
  /** Removes what no job uses. */
  prune(options: {
    readonly usedBefore?: Millis
    readonly downTo?: Bytes
  }): Promise<{ readonly removed: readonly KeptArtifact[]; readonly freed: Bytes }>
}

const MAX_USERS = 64

/** Serves `/dms/node/artifacts/…`. */
export function serveArtifactBehaviors(actor: Actor, store: ArtifactStore): void {
  actor.on(artifactsList, async ({ limit = ARTIFACT_PAGE, offset = 0 }) => {
    const all = store.list()
    const end = offset + Math.min(limit === 0 ? ARTIFACT_PAGE : limit, ARTIFACT_PAGE)
    return {
      artifacts: all.slice(offset, end).map(toWire),
      error: '',
      totalSize: store.size(),
      total: all.length,
      hasMore: end < all.length
    }
  })
  actor.on(artifactsPrune, async ({ usedBefore, downTo }) => {
    const { removed, freed } = await store.prune({
      ...(usedBefore === undefined ? {} : { usedBefore: instantOf(usedBefore) }),
      ...(downTo === undefined ? {} : { downTo: bytes(downTo) })
    })
    return { removed: removed.slice(0, ARTIFACT_PAGE).map(toWire), error: '', freed, total: removed.length }
  })
}

function instantOf(text: string): Millis {
  const at = Date.parse(text)
  if (Number.isNaN(at))
    throw new BadRequestError(`used_before ${JSON.stringify(text)} is not a time such as 2026-01-31T12:00:00Z`)
  return millis(at)
}

function toWire({ createdAt, usedAt, usedBy, ...rest }: KeptArtifact) {
  return {
    ...rest,
    createdAt: new Date(createdAt).toISOString(),
    usedAt: new Date(usedAt).toISOString(),
    usedBy: usedBy.slice(0, MAX_USERS)
  }
}
