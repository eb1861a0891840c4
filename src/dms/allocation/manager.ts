import { type Actor, type ActorSystem, didOfHandle, type Handle, RemoteError } from '../../actor/index.ts'
import {
  type Clock,
  DmsError,
  errorMessage,
  hours,
  type JsonValue,
  type Logger,
  type Millis,
  millis,
  minutes,
  type Random,
  type Service,
  seconds,
  toNanos
} from '../../base/index.ts'
import type { KeyValueStore } from '../../db/index.ts'
import type { Executor } from '../../executor/index.ts'
import type { HardwareProbe } from '../../hardware/index.ts'
import { generateKeyPair, type KeyPair } from '../../identity/index.ts'
import { allocationStart, allocationStatus, DONE, orchestratorPresence, taskTermination } from '../../protocol/index.ts'
import type { CollectedOutputs, Volumes } from '../../storage/index.ts'
import type { CapabilityContext } from '../../ucan/index.ts'
import type { JobOutput, OutputPiece, StreamName } from '../output.ts'
import type { Amount, ResourceLedger } from '../resources/index.ts'
import { sealKey, unsealKey } from '../sealed-key.ts'
import { NoOutputsError, NotYoursError, StartFailedError, StillEndingError, UnknownAllocationError } from './errors.ts'
import { workloadGpus } from './graphics.ts'
import { type Preparation, sealPreparation, unsealPreparation } from './preparation.ts'
import { type AllocationRecord, allocationRecordCodec } from './record.ts'
import { type AllocationRunner, createAllocationRunner } from './runner.ts'
import { eraseTime, START_PATIENCE, statusText } from './state.ts'

/** What is asked for when an allocation is made. */
export interface AllocationRequest {
  readonly id: string
  readonly ensembleId: string
  readonly nodeId: string
  readonly owner: string
  readonly orchestrator: Handle
  readonly type: 'task' | 'service'
  readonly executor: string
  readonly params: JsonValue
  readonly amount: Amount
  readonly preparation: Preparation
}

/** The allocations that run on this machine. */
export interface Allocations extends Service {
  /** Creates allocation actors for committed resources; what exists already is returned as it is. */
  allocate(requests: readonly AllocationRequest[]): Promise<ReadonlyMap<string, Handle>>
  /** Ends an allocation and forgets it; unknown ids are ignored. Errors: `ALLOCATION_NOT_YOURS`. */
  discard(id: string, owner: string): Promise<void>
  /** A piece of the output. Errors: `ALLOCATION_UNKNOWN`, `ALLOCATION_NOT_YOURS`. */
  readOutput(
    id: string,
    owner: string,
    stream: StreamName,
    offset: number,
    maxBytes: number
  ): Promise<OutputPiece & { readonly eof: boolean }>
  /** What an allocation left in its outputs. Errors: `ALLOCATION_UNKNOWN`, `ALLOCATION_NOT_YOURS`, `ALLOCATION_NO_OUTPUTS`. */
  outputFiles(id: string, owner: string): Promise<CollectedOutputs>
  /** A piece of one of these files, by its place in the list. Errors: as above, `STORAGE_NOT_FOUND`. */
  readOutputFile(
    id: string,
    owner: string,
    piece: { readonly index: number; readonly offset: number; readonly maxBytes: number }
  ): Promise<{ readonly data: Uint8Array; readonly size: number }>
  /** All allocations of this node. */
  list(): readonly AllocationRecord[]
}

/** What the allocations need. */
export interface AllocationsOptions {
  readonly store: KeyValueStore
  readonly actors: ActorSystem
  readonly context: CapabilityContext
  readonly nodeKey: KeyPair
  readonly ledger: ResourceLedger
  readonly executors: ReadonlyMap<string, Executor>
  readonly hardware: Pick<HardwareProbe, 'capacity'>
  readonly output: JobOutput
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly allowPrivileged: boolean
  /** Gives volumes to allocations; without it none are had. */
  readonly volumes?: Volumes | undefined
  /** Told of every new status, once it is durable. */
  readonly onStatus?: (record: AllocationRecord, status: string) => void
}

/** Life of the grants to orchestrators, and when they are renewed: at half of it, until the allocation is gone (C §15.3, 7). */
const GRANT_LIFE = hours(1)
const GRANT_RENEWAL = minutes(30)

/**
 * How long a running job may go without a word from its owner before it is stopped.
 *
 * A deployer may be away for a night; one that is gone for good must not keep the machine busy (C §9.7 gives up after 3 h).
 */
const LEASE = hours(24)

/** After how long a silence, and how often then, the owner is asked whether it is still there. */
const ASK_AFTER = hours(1)

/**
 * A node that answers, but has no such actor, has ended the deployment; unless it has started a moment ago and brings its actors
 * back. So it is asked once more, after this.
 */
const ASK_AGAIN = minutes(5)

/** How often lapsed allocations are looked for. */
const SWEEP_INTERVAL = seconds(30)

/** Output that travels with the termination note; the rest is fetched in pieces. */
const NOTE_OUTPUT_BYTES = 16_384

interface Live {
  readonly actor: Actor
  readonly runner: AllocationRunner
  revokeGrants: readonly (() => void)[]
  /** When the owner was heard last. */
  heardAt: Millis
  /** When it was asked last whether it is there, and whether its node knew nothing of it. */
  askedAt: Millis
  isUnknown: boolean
}

/** Creates the provider's allocations over the collection `allocations`. */
export function createAllocations(options: AllocationsOptions): Allocations {
  const { store, actors, context, nodeKey, ledger, executors, output, clock, random, volumes } = options
  const log = options.log.child({ logger: 'allocation' })
  const records = store.collection('allocations', allocationRecordCodec)
  const live = new Map<string, Live>()
  const lifetime = new AbortController()

  async function revive(record: AllocationRecord): Promise<Live> {
    const actor = actors.spawn(record.id, { key: unsealKey(nodeKey, record.sealedKey) })
    const runner = createAllocationRunner({
      record,
      executor: executors.get(record.executor),
      output,
      clock,
      log,
      allowPrivileged: options.allowPrivileged,
      preparation: () => unsealPreparation(nodeKey, runner.record.sealedPreparation),
      lifetime: lifetime.signal,
      save: (changed) => save(changed, runner.record),
      free: giveBack,
      mount: async ({ id, owner, amount }, wanted, signal) => {
        if (wanted.length === 0 || volumes === undefined) return []
        return await volumes.prepare({ id, owner, volumes: wanted, limit: amount.disk }, { signal })
      },
      collect,
      graphics: ({ amount }) => workloadGpus(amount.gpus, options.hardware),
      report: (changed) => report(actor, changed),
      erase
    })
    const entry: Live = { actor, runner, revokeGrants: [], heardAt: clock.now(), askedAt: clock.now(), isUnknown: false }
    live.set(record.id, entry)
    serve(entry)
    await renewGrants(entry)
    return entry
  }

  /** A failure costs the outputs, and not the end of the job: who asks for them is told. */
  async function collect(
    { id, owner, amount }: AllocationRecord,
    wanted: Preparation['volumes'],
    signal: AbortSignal
  ): Promise<void> {
    if (wanted.length === 0 || volumes === undefined) return
    try {
      await volumes.collect({ id, owner, volumes: wanted, limit: amount.disk }, { signal })
    } catch (error) {
      if (signal.aborted) throw error
      log.warn('the outputs of a job could not be kept', { allocationID: id, error: errorMessage(error) })
    }
  }

  /** Volumes before the promise: what is still mounted is still in use. */
  async function giveBack(id: string): Promise<void> {
    await volumes?.release(id)
    await ledger.release(id)
  }

  async function save(record: AllocationRecord, before?: AllocationRecord): Promise<void> {
    await store.transaction([records.put(record.id, record)])
    const status = statusText(record.state)
    if (before === undefined || statusText(before.state) !== status) options.onStatus?.(record, status)
  }

  function serve(entry: Live): void {
    const { actor, runner } = entry
    actor.on(allocationStart, async () => {
      entry.heardAt = clock.now()
      await runner.handle({ type: 'start' })
      const state = await runner.started()
      const neverRan = state.phase === 'ended' && state.startedAt === undefined
      if (neverRan) throw new StartFailedError(`${runner.record.id} did not start: ${state.error}`)
      return DONE
    })
    actor.on(allocationStatus, async () => {
      entry.heardAt = clock.now()
      return describe(runner.record)
    })
  }

  async function report(actor: Actor, record: AllocationRecord): Promise<void> {
    const { state } = record
    if (state.phase !== 'ended') return
    const directory = await output.prepare(record.id)
    const note = {
      allocationId: record.id,
      status: state.status,
      error: { message: state.error, exitCode: state.exitCode ?? 0, killed: state.killed },
      stdout: (await output.read(directory, 'stdout', 0, NOTE_OUTPUT_BYTES)).data,
      stderr: (await output.read(directory, 'stderr', 0, NOTE_OUTPUT_BYTES)).data
    }
    await actor.invoke(record.orchestrator, taskTermination, note, { timeout: seconds(10), signal: lifetime.signal })
  }

  async function erase(record: AllocationRecord): Promise<void> {
    const entry = live.get(record.id)
    const run = (await executors.get(record.executor)?.list())?.find(({ id }) => id === record.id)
    if (run !== undefined) await executors.get(record.executor)?.remove(run.handle)
    await giveBack(record.id)
    await output.remove(output.directory(record.id))
    await volumes?.outputs.drop(record.id)
    await store.transaction([records.delete(record.id)])
    live.delete(record.id)
    if (entry === undefined) return
    for (const revoke of entry.revokeGrants) revoke()
    await actors.retire(entry.actor)
  }

  async function renewGrants(entry: Live): Promise<void> {
    const { owner, ensembleId } = entry.runner.record
    const expiresAt = toNanos(millis(clock.now() + GRANT_LIFE))
    const actorDid = didOfHandle(entry.actor.handle)
    const nodeDid = didOfHandle(actors.root.handle)
    if (!actorDid.ok || !nodeDid.ok) return
    const fresh = [
      await context.grantHere({
        subject: owner,
        audience: actorDid.value,
        capabilities: ['/dms/allocation', '/dms/actor/healthcheck'],
        expiresAt
      }),
      await context.grantHere({
        subject: owner,
        audience: nodeDid.value,
        capabilities: [`/dms/ensemble/${ensembleId}`],
        expiresAt
      })
    ]
    for (const revoke of entry.revokeGrants) revoke()
    entry.revokeGrants = fresh
  }

  async function keepHouse(): Promise<void> {
    let renewAt = millis(clock.now() + GRANT_RENEWAL)
    for (;;) {
      await clock.sleep(SWEEP_INTERVAL, { signal: lifetime.signal })
      const now = clock.now()
      for (const entry of live.values()) await attempt(() => lapse(entry, now))
      await attempt(stopWriters)
      if (now < renewAt) continue
      renewAt = millis(now + GRANT_RENEWAL)
      for (const entry of live.values()) await attempt(() => renewGrants(entry))
    }
  }

  /** One failure, of a full disk for example, must not end the housekeeping. */
  async function attempt(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => log.warn('housekeeping failed; tried again later', { error: errorMessage(error) }))
  }

  async function lapse(entry: Live, now: number): Promise<void> {
    const { runner } = entry
    const { state, createdAt } = runner.record
    if (state.phase === 'running' && isSilent(entry, now) && (await isForsaken(entry))) {
      log.warn('stopping a job whose orchestrator is gone', { allocationID: runner.record.id })
      await runner.handle({ type: 'stop' })
    }
    const eraseAt = eraseTime(state)
    if (eraseAt !== undefined && now >= eraseAt) await runner.handle({ type: 'discard' })
    if (state.phase === 'pending' && now >= createdAt + START_PATIENCE) await runner.handle({ type: 'abandoned' })
  }

  /** Whether it is time to ask for the owner. */
  function isSilent({ heardAt, askedAt, isUnknown }: Live, now: number): boolean {
    return now - heardAt >= ASK_AFTER && now - askedAt >= (isUnknown ? ASK_AGAIN : ASK_AFTER)
  }

  /** Asks the orchestrator whether it is there; it is given up when its node twice knew nothing of it, or after a long silence. */
  async function isForsaken(entry: Live): Promise<boolean> {
    const { orchestrator } = entry.runner.record
    entry.askedAt = clock.now()
    try {
      await entry.actor.invoke(orchestrator, orchestratorPresence, null, { timeout: seconds(20), signal: lifetime.signal })
      entry.heardAt = clock.now()
      entry.isUnknown = false
      return false
    } catch (error) {
      if (lifetime.signal.aborted) return false
      if (error instanceof RemoteError) {
        entry.heardAt = clock.now()
        entry.isUnknown = false
        return false
      }
      const wasUnknown = entry.isUnknown
      entry.isUnknown = error instanceof DmsError && error.code === 'NETWORK_NO_SUCH_INBOX'
      return (wasUnknown && entry.isUnknown) || clock.now() - entry.heardAt >= LEASE
    }
  }

  /** Removes workloads of this node that no record knows: left by a crash between start and write, or by a lost database. */
  async function sweepOrphans(spared: ReadonlySet<string>): Promise<void> {
    for (const executor of executors.values()) {
      try {
        for (const { id, handle } of await executor.list()) {
          if (live.has(id) || spared.has(id)) continue
          log.warn('removing a workload that belongs to nobody', { allocationID: id })
          await executor.remove(handle)
        }
      } catch (error) {
        log.info('executor cannot be swept now', { executor: executor.kind, error: errorMessage(error) })
      }
    }
  }

  /** Releases volumes of jobs that no record knows. */
  async function sweepVolumes(spared: ReadonlySet<string>): Promise<void> {
    try {
      for (const id of (await volumes?.sweep((other) => live.has(other) || spared.has(other))) ?? []) {
        log.warn('released the volumes of a job that belongs to nobody', { allocationID: id })
      }
    } catch (error) {
      log.info('volumes cannot be swept now', { error: errorMessage(error) })
    }
  }

  /** Where no file system bounds a volume, the jobs that write to it are stopped when it holds too much. */
  async function stopWriters(): Promise<void> {
    for (const [id, { name, used, size }] of (await volumes?.exceeding()) ?? []) {
      const runner = live.get(id)?.runner
      if (runner?.record.state.phase !== 'running') continue
      log.warn('stopping a job whose volume holds too much', { allocationID: id, volume: name, used, size })
      await runner.handle({ type: 'stop' })
    }
  }

  function owned(id: string, owner: string): Live {
    const entry = live.get(id)
    if (entry === undefined) throw new UnknownAllocationError(`allocation not found: ${id}`)
    if (entry.runner.record.owner !== owner) throw new NotYoursError(`${id} belongs to somebody else`)
    return entry
  }

  async function outputsOf(id: string, owner: string): Promise<CollectedOutputs> {
    const { phase } = owned(id, owner).runner.record.state
    const found = phase === 'ended' ? await volumes?.outputs.find(id) : undefined
    if (found === undefined)
      throw new NoOutputsError(`${id} has no outputs: it asked for none, has not ended, or they could not be kept`)
    return found
  }

  async function create(request: AllocationRequest): Promise<Live> {
    const existing = live.get(request.id)
    if (existing !== undefined) {
      const entry = owned(request.id, request.owner)
      const { phase } = entry.runner.record.state
      if (phase === 'pending' || phase === 'starting' || phase === 'running') return entry
      throw new StillEndingError(`${request.id} is still being ended here; ask again in a few seconds`)
    }
    await ledger.allocate(request.id, request.owner)
    const key = generateKeyPair(random)
    const { preparation, ...asked } = request
    const sealedPreparation = sealPreparation(nodeKey, preparation)
    const record: AllocationRecord = {
      ...asked,
      ...(sealedPreparation === undefined ? {} : { sealedPreparation }),
      sealedKey: sealKey(nodeKey, key),
      createdAt: clock.now(),
      state: { phase: 'pending' }
    }
    await save(record)
    return revive(record)
  }

  return {
    name: 'allocations',
    async start() {
      const stored: AllocationRecord[] = []
      for await (const [, record] of records.list()) stored.push(record)
      const unusable = new Set<string>()
      for (const record of stored) {
        await revive(record).catch((error: unknown) => {
          unusable.add(record.id)
          log.error('a stored allocation cannot be used', { allocationID: record.id, error: errorMessage(error) })
        })
      }
      await sweepOrphans(unusable)
      await sweepVolumes(unusable)
      for (const [id, { state }] of ledger.commitments()) {
        if (state === 'allocated' && !live.has(id) && !unusable.has(id)) await ledger.release(id) // a crash between promise and record
      }
      for (const { runner } of live.values()) await runner.handle({ type: 'restarted' })
      keepHouse().catch((error: unknown) => {
        if (!lifetime.signal.aborted) log.error('housekeeping ended', { error: errorMessage(error) })
      })
    },
    async stop() {
      lifetime.abort()
      await Promise.all([...live.values()].map(({ actor }) => actors.retire(actor)))
      live.clear()
    },
    async allocate(requests) {
      const handles = new Map<string, Handle>()
      for (const request of requests) handles.set(request.id, (await create(request)).actor.handle)
      return handles
    },
    async discard(id, owner) {
      if (!live.has(id)) {
        if (ledger.commitments().get(id)?.owner === owner) await ledger.release(id)
        return
      }
      const { runner } = owned(id, owner)
      await runner.handle({ type: 'discard' })
    },
    async readOutput(id, owner, stream, offset, maxBytes) {
      const { runner } = owned(id, owner)
      const piece = await output.read(output.directory(id), stream, offset, maxBytes)
      const hasEnded = runner.record.state.phase === 'ended'
      return { ...piece, eof: hasEnded && offset + piece.data.length >= piece.total }
    },
    outputFiles: (id, owner) => outputsOf(id, owner),
    async readOutputFile(id, owner, { index, offset, maxBytes }) {
      await outputsOf(id, owner)
      if (volumes === undefined) throw new NoOutputsError(`${id} has no outputs`)
      return await volumes.outputs.read(id, index, offset, maxBytes)
    },
    list: () => [...live.values()].map(({ runner }) => runner.record)
  }
}

function describe({ state }: AllocationRecord) {
  const iso = (instant: number): string => new Date(instant).toISOString()
  const since = state.phase === 'running' || state.phase === 'stopping' || state.phase === 'ended' ? state.startedAt : undefined
  const startedAt = since === undefined ? {} : { startedAt: iso(since) }
  if (state.phase !== 'ended') return { status: statusText(state), error: '', ...startedAt }
  const exitCode = state.exitCode === undefined ? {} : { exitCode: state.exitCode }
  return { status: state.status, error: state.error, ...exitCode, ...startedAt, endedAt: iso(state.endedAt) }
}
