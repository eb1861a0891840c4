import { type Codec, err, type Issue, isJsonObject, type JsonValue, type Millis, millis, ok } from '../../base/index.ts'
import type { DeploymentState } from './state.ts'

/** One line of a deployment's journal. */
export interface JournalEntry {
  readonly at: Millis
  readonly text: string
}

/** Lines kept per deployment. */
export const JOURNAL_LIMIT = 200

/** Everything an orchestrator knows of its deployment; survives restarts. */
export interface DeploymentRecord {
  readonly id: string
  readonly createdAt: Millis
  readonly updatedAt: Millis
  readonly completedAt?: Millis
  readonly deadline: Millis
  /** The ensemble in its wire form. */
  readonly ensemble: JsonValue
  readonly metadata: Readonly<Record<string, string>>
  /** The orchestrator actor's key, sealed with the node's key; base64. */
  readonly sealedKey: string
  readonly state: DeploymentState
  readonly journal: readonly JournalEntry[]
}

const PHASES: ReadonlySet<string> = new Set(['bidding', 'committing', 'allocating', 'starting', 'running', 'stopping', 'ended'])

/** The stored form. */
export const deploymentRecordCodec: Codec<DeploymentRecord> = {
  decode(wire) {
    const bad = (message: string) => err<readonly Issue[]>([{ path: '', message }])
    if (!isJsonObject(wire)) return bad('must be an object')
    const { id, createdAt, updatedAt, completedAt, deadline, ensemble, metadata, sealedKey, state, journal } = wire
    if (typeof id !== 'string' || typeof sealedKey !== 'string' || ensemble === undefined)
      return bad('id, key or ensemble is missing')
    if (typeof createdAt !== 'number' || typeof updatedAt !== 'number' || typeof deadline !== 'number')
      return bad('times are missing')
    if (!isJsonObject(metadata) || !Array.isArray(journal)) return bad('metadata or journal is missing')
    if (!isJsonObject(state) || typeof state['phase'] !== 'string' || !PHASES.has(state['phase']))
      return bad('state has no known phase')
    return ok({
      id,
      createdAt: millis(createdAt),
      updatedAt: millis(updatedAt),
      ...(typeof completedAt === 'number' ? { completedAt: millis(completedAt) } : {}),
      deadline: millis(deadline),
      ensemble,
      metadata: metadata as Readonly<Record<string, string>>,
      sealedKey,
      state: state as unknown as DeploymentState,
      journal: journal.flatMap(toEntry)
    })
  },
  encode: (record) => record
}

function toEntry(wire: JsonValue): readonly JournalEntry[] {
  if (!isJsonObject(wire)) return []
  const { at, text } = wire
  return typeof at === 'number' && typeof text === 'string' ? [{ at: millis(at), text }] : []
}
