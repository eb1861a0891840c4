import { type Handle, handleToJson, parseHandle } from '../../actor/index.ts'
import { type Codec, err, type Issue, isJsonObject, type JsonValue, type Millis, millis, ok } from '../../base/index.ts'
import { type Amount, amountCodec } from '../resources/index.ts'
import type { AllocationState } from './state.ts'

/** Everything a provider knows of an allocation; survives restarts. */
export interface AllocationRecord {
  /** `<ensemble id>_<node>.<allocation>` (C §8.1). */
  readonly id: string
  readonly ensembleId: string
  readonly nodeId: string
  /** The DID that committed and allocated it: the only one that may control it. */
  readonly owner: string
  readonly orchestrator: Handle
  readonly type: 'task' | 'service'
  readonly executor: string
  /** The `execution.params`, given to the executor as they are. */
  readonly params: JsonValue
  readonly amount: Amount
  /** Files and scripts for its inside, sealed with the node's key; absent when there are none. */
  readonly sealedPreparation?: string
  /** The allocation actor's key, sealed with the node's key; base64. */
  readonly sealedKey: string
  readonly createdAt: Millis
  readonly state: AllocationState
}

const PHASES: ReadonlySet<string> = new Set(['pending', 'starting', 'running', 'stopping', 'ended', 'gone'])

/** The stored form. */
export const allocationRecordCodec: Codec<AllocationRecord> = {
  decode(wire) {
    const bad = (message: string) => err<readonly Issue[]>([{ path: '', message }])
    if (!isJsonObject(wire)) return bad('must be an object')
    const { id, ensembleId, nodeId, owner, type, executor, params, amount, sealedKey, createdAt, state } = wire
    const orchestrator = parseHandle(wire['orchestrator'])
    if (!orchestrator.ok) return err([orchestrator.error])
    if (typeof id !== 'string' || typeof ensembleId !== 'string' || typeof nodeId !== 'string') return bad('ids are missing')
    if (typeof owner !== 'string' || typeof executor !== 'string' || typeof sealedKey !== 'string')
      return bad('owner, executor or key is missing')
    if (type !== 'task' && type !== 'service') return bad('type must be task or service')
    if (typeof createdAt !== 'number' || !isJsonObject(amount) || !isJsonObject(state)) return bad('amount or state is missing')
    const { sealedPreparation } = wire
    if (sealedPreparation !== undefined && typeof sealedPreparation !== 'string') return bad('sealedPreparation must be a text')
    const decoded = amountCodec.decode(amount)
    if (!decoded.ok) return bad('amount is not complete')
    if (typeof state['phase'] !== 'string' || !PHASES.has(state['phase'])) return bad('state has no known phase')
    return ok({
      id,
      ensembleId,
      nodeId,
      owner,
      orchestrator: orchestrator.value,
      type,
      executor,
      params: params ?? null,
      amount: decoded.value,
      ...(sealedPreparation === undefined ? {} : { sealedPreparation }),
      sealedKey,
      createdAt: millis(createdAt),
      state: state as unknown as AllocationState
    })
  },
  encode: (record) => ({ ...record, amount: amountCodec.encode(record.amount), orchestrator: handleToJson(record.orchestrator) })
}
