import { createHash } from 'node:crypto'
import { type Actor, type ActorSystem, didOfHandle, handleToJson } from '../../actor/index.ts'
import {
  type Clock,
  describeIssues,
  errorMessage,
  hours,
  isJsonObject,
  type JsonValue,
  type Logger,
  type Millis,
  mapConcurrently,
  millis,
  minutes,
  type Random,
  randomHex,
  type Service,
  seconds,
  toNanos
} from '../../base/index.ts'
import type { KeyValueStore } from '../../db/index.ts'
import { generateKeyPair, type KeyPair } from '../../identity/index.ts'
import {
  checkSupported,
  type DeploymentStatus,
  DONE,
  decodeEnsemble,
  type EnsembleConfig,
  orchestratorPresence,
  taskTermination
} from '../../protocol/index.ts'
import type { CapabilityContext } from '../../ucan/index.ts'
import type { JobOutput, StreamName } from '../output.ts'
import { sealKey, unsealKey } from '../sealed-key.ts'
import { toBlueprint } from './blueprint.ts'
import { saveOutput } from './collect-output.ts'
import { BadEnsembleError, NotRunningError, TooShortError, UnknownDeploymentError, UnknownOutputError } from './errors.ts'
import { fetchedPath, isFetched, type ListedOutput, readFetched, readFetchedFile } from './fetched-outputs.ts'
import { createOrchestrator, type Orchestrator } from './orchestrator.ts'
import { hasEnded, type Plan, type PlannedAllocation } from './plan.ts'
import { type DeploymentRecord, deploymentRecordCodec } from './record.ts'
import { createDeploymentRunner, type DeploymentRunner } from './runner.ts'
import { INITIAL, planOf, statusOf } from './state.ts'

/** A page of an allocation's output on the deployer's machine. */
export interface OutputPage {
  readonly directory: string
  readonly stdout: { readonly data: Uint8Array; readonly next: number }
  readonly stderr: { readonly data: Uint8Array; readonly next: number }
  /** Whether nothing more will come. */
  readonly isComplete: boolean
  readonly status: string
}

/** The outputs of one allocation, as far as they are on this machine. */
export interface AllocationOutputs {
  /** `<node>.<allocation>`. */
  readonly key: string
  /** Where the fetched files lie. */
  readonly directory: string
  readonly files: readonly (ListedOutput & { readonly isHere: boolean })[]
  readonly isComplete: boolean
  readonly error: string
  readonly published: string
}

/** The deployments of this node. */
export interface Deployments extends Service {
  /**
   * Records a deployment and begins it; resolves with its id as soon as it is durable.
   *
   * @param expiresAt - Expiry of the request: bids are asked for until shortly before it.
   * @throws TooShortError, BadEnsembleError
   */
  create(ensemble: JsonValue, expiresAt: Millis): Promise<string>
  list(): readonly DeploymentRecord[]
  /** Errors: `DEPLOYMENT_UNKNOWN`. */
  get(id: string): DeploymentRecord
  /** Errors: `DEPLOYMENT_UNKNOWN`, `DEPLOYMENT_NOT_RUNNING`. */
  shutdown(id: string): Promise<void>
  /** Fetches new output of an allocation and returns a page of it. */
  output(
    id: string,
    key: string,
    from: Readonly<Record<StreamName, number>>,
    maxBytes: number,
    signal: AbortSignal
  ): Promise<OutputPage>
  /** What was fetched of the outputs of a deployment, or of one of its allocations. Errors: `DEPLOYMENT_UNKNOWN`. */
  outputs(id: string, key?: string): Promise<readonly AllocationOutputs[]>
  /** A piece of a fetched file. Errors: `DEPLOYMENT_UNKNOWN`, `DEPLOYMENT_NO_OUTPUT`. */
  readOutputFile(
    id: string,
    key: string,
    piece: { readonly path: string; readonly offset: number; readonly maxBytes: number }
  ): Promise<{ readonly data: Uint8Array; readonly size: number }>
  /** The manifest of C §8.13. */
  manifest(id: string): JsonValue
}

/** What the deployments need. */
export interface DeploymentsOptions {
  readonly store: KeyValueStore
  readonly actors: ActorSystem
  readonly context: CapabilityContext
  readonly nodeKey: KeyPair
  readonly output: JobOutput
  /** Peers that are connected now. */
  readonly peers: () => readonly string[]
  /** Names of executors that ensembles may have besides the known ones: plugins here or elsewhere have them. */
  readonly pluginExecutors: readonly string[]
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Told of every new status, once it is durable. */
  readonly onStatus?: (record: DeploymentRecord, status: DeploymentStatus) => void
}

/** Least remaining life of a deployment request, and what of it is kept for the last round (C §8.2). */
const LEAST_TIME = seconds(59)
const MARGIN = seconds(15)

/** Clients measure the least time from their own clock, before the way here. */
const TRAVEL_TOLERANCE = seconds(5)

/** Life and renewal of what providers may tell their orchestrator. */
const GRANT_LIFE = hours(1)
const GRANT_RENEWAL = minutes(30)

interface Live {
  readonly runner: DeploymentRunner
  readonly orchestrator: Orchestrator
  readonly actor: Actor
  revokeGrants: readonly (() => void)[]
}

/** Creates the orchestrators of a node over the collection `deployments`. */
export function createDeployments(options: DeploymentsOptions): Deployments {
  const { store, actors, context, nodeKey, output, clock, random, pluginExecutors } = options
  const log = options.log.child({ logger: 'deployment' })
  const records = store.collection('deployments', deploymentRecordCodec)
  const ended = new Map<string, DeploymentRecord>()
  const live = new Map<string, Live>()
  const lifetime = new AbortController()

  function revive(record: DeploymentRecord): Live {
    const actor = actors.spawn(record.id, { key: unsealKey(nodeKey, record.sealedKey) })
    const orchestrator = createOrchestrator({ ensembleId: record.id, actor, clock, random, log })
    const runner = createDeploymentRunner({
      record,
      blueprint: toBlueprint(ensembleOf(record.ensemble, pluginExecutors)),
      orchestrator,
      output,
      clock,
      log,
      lifetime: lifetime.signal,
      isAlone: () => options.peers().length === 0,
      save: (changed) => save(changed, runner.record),
      admit: (plan) => admit(record.id, plan),
      finish: () => finish(record.id)
    })
    const entry: Live = { runner, orchestrator, actor, revokeGrants: [] }
    live.set(record.id, entry)
    actor.on(orchestratorPresence, async () => DONE)
    actor.on(taskTermination, async (note, envelope) => {
      const plan = planOf(runner.record.state)
      const [key, allocation] = Object.entries(plan?.allocations ?? {}).find(([, { id }]) => id === note.allocationId) ?? []
      const isHome = allocation?.handle !== undefined && plan?.nodes[allocation.node]?.peer === envelope.from.host
      if (key === undefined || !isHome) return DONE
      const status = note.status === 'completed' ? 'completed' : 'failed'
      const { message: error, exitCode } = note.error
      await runner.handle({ type: 'allocation-ended', key, status, exitCode, error })
      return DONE
    })
    return entry
  }

  async function save(record: DeploymentRecord, before?: DeploymentRecord): Promise<void> {
    await store.transaction([records.put(record.id, record)])
    const status = statusOf(record.state)
    if (before === undefined || statusOf(before.state) !== status) options.onStatus?.(record, status)
  }

  /** Lets the providers of a plan report here. In memory: granted again after a restart and renewed at half of its life. */
  async function admit(id: string, plan: Plan): Promise<void> {
    const entry = live.get(id)
    const audience = entry === undefined ? undefined : didOfHandle(entry.actor.handle)
    if (entry === undefined || audience?.ok !== true) return
    const expiresAt = toNanos(millis(clock.now() + GRANT_LIFE))
    const subjects = [...new Set(Object.values(plan.nodes).map(({ handle }) => handle.did))]
    const capabilities = ['/dms/orchestrator']
    const fresh = await Promise.all(
      subjects.map((subject) => context.grantHere({ subject, audience: audience.value, capabilities, expiresAt }))
    )
    for (const revoke of entry.revokeGrants) revoke()
    entry.revokeGrants = fresh
  }

  async function finish(id: string): Promise<void> {
    const entry = live.get(id)
    if (entry === undefined) return
    live.delete(id)
    ended.set(id, entry.runner.record)
    for (const revoke of entry.revokeGrants) revoke()
    await actors.retire(entry.actor)
  }

  async function keepHouse(): Promise<void> {
    for (;;) {
      await clock.sleep(GRANT_RENEWAL, { signal: lifetime.signal })
      for (const [id, { runner }] of live) {
        const plan = planOf(runner.record.state)
        if (plan !== undefined) {
          await admit(id, plan).catch((error: unknown) =>
            log.warn('grants could not be renewed; tried again later', { deploymentID: id, error: errorMessage(error) })
          )
        }
      }
    }
  }

  function find(id: string): DeploymentRecord {
    const record = live.get(id)?.runner.record ?? ended.get(id)
    if (record === undefined) throw new UnknownDeploymentError(`there is no deployment ${id} on this node`)
    return record
  }

  /** By its manifest key or its name alone. */
  function findAllocation(id: string, key: string): PlannedAllocation {
    const plan = planOf(find(id).state)
    const found = plan?.allocations[key] ?? Object.values(plan?.allocations ?? {}).find(({ name }) => name === key)
    if (found !== undefined) return found
    const known = Object.keys(plan?.allocations ?? {})
    throw new UnknownDeploymentError(
      `deployment ${id} has no allocation ${key}${known.length > 0 ? `; it has ${known.join(', ')}` : ' yet'}`
    )
  }

  async function outputsOf(id: string, { node, name, status }: PlannedAllocation): Promise<AllocationOutputs> {
    const key = `${node}.${name}`
    const directory = output.directory(id, key)
    const known = await readFetched(directory)
    const place = { key, directory: fetchedPath(directory, '') }
    if (known === undefined)
      return { ...place, files: [], isComplete: false, error: `not fetched: the job is ${status}`, published: '' }
    const files = await mapConcurrently(known.files, 16, async (file) => ({ ...file, isHere: await isFetched(directory, file) }))
    return { ...place, ...known, files }
  }

  return {
    name: 'deployments',
    async start() {
      const unfinished: DeploymentRecord[] = []
      for await (const [id, record] of records.list()) {
        if (record.state.phase === 'ended') ended.set(id, record)
        else unfinished.push(record)
      }
      for (const record of unfinished) {
        try {
          revive(record)
        } catch (error) {
          ended.set(record.id, record)
          log.error('a stored deployment cannot be resumed', { deploymentID: record.id, error: errorMessage(error) })
        }
      }
      for (const [id, { runner }] of live) {
        const plan = planOf(runner.record.state)
        if (plan !== undefined) await admit(id, plan)
        await runner.handle({ type: 'restarted' })
      }
      keepHouse().catch((error: unknown) => {
        if (!lifetime.signal.aborted) log.error('housekeeping ended', { error: errorMessage(error) })
      })
    },
    async stop() {
      lifetime.abort()
      await Promise.all([...live.values()].map(({ actor }) => actors.retire(actor)))
      live.clear()
    },
    async create(ensemble, expiresAt) {
      const now = clock.now()
      if (expiresAt - now < LEAST_TIME - TRAVEL_TOLERANCE) {
        throw new TooShortError(
          `requested deployment time too short: the request lives ${Math.round((expiresAt - now) / 1000)} s, at least 60 s are needed (-t 60s)`
        )
      }
      const config = ensembleOf(ensemble, pluginExecutors)
      const unsupported = checkSupported(config, { executors: pluginExecutors })
      if (unsupported.length > 0) throw new BadEnsembleError(`this ensemble cannot run yet: ${describeIssues(unsupported)}`)
      const key = generateKeyPair(random)
      const record: DeploymentRecord = {
        id: newEnsembleId(actors.root.handle.host, random),
        createdAt: now,
        updatedAt: now,
        deadline: millis(expiresAt - MARGIN),
        ensemble,
        metadata: Object.fromEntries(config.metadata),
        sealedKey: sealKey(nodeKey, key),
        state: INITIAL,
        journal: []
      }
      await save(record)
      await revive(record).runner.handle({ type: 'created' })
      return record.id
    },
    list: () => [...[...live.values()].map(({ runner }) => runner.record), ...ended.values()],
    get: find,
    async shutdown(id) {
      const record = find(id)
      const entry = live.get(id)
      if (entry === undefined || record.state.phase === 'stopping' || record.state.phase === 'ended') {
        throw new NotRunningError(`deployment is not running: ${id}`)
      }
      await entry.runner.handle({ type: 'shutdown' })
    },
    async outputs(id, wanted) {
      const record = find(id)
      const blueprint = toBlueprint(ensembleOf(record.ensemble, pluginExecutors))
      const planned = wanted === undefined ? Object.values(planOf(record.state)?.allocations ?? {}) : [findAllocation(id, wanted)]
      const leavers = planned.filter(({ name }) => blueprint.allocations.get(name)?.hasOutputs === true)
      return await Promise.all(leavers.map((allocation) => outputsOf(id, allocation)))
    },
    async readOutputFile(id, key, { path, offset, maxBytes }) {
      const { node, name } = findAllocation(id, key)
      const directory = output.directory(id, `${node}.${name}`)
      const file = (await readFetched(directory))?.files.find((listed) => listed.path === path)
      if (file === undefined || !(await isFetched(directory, file))) {
        throw new UnknownOutputError(`${key} has no output ${JSON.stringify(path.slice(0, 200))} on this machine`)
      }
      return { data: await readFetchedFile(directory, path, offset, maxBytes), size: file.size }
    },
    async output(id, key, from, maxBytes, signal) {
      const found = findAllocation(id, key)
      const plan = planOf(find(id).state)
      const manifestKey = `${found.node}.${found.name}`
      const entry = live.get(id)
      let isComplete = found.hasOutput || entry === undefined
      if (!isComplete && plan !== undefined && entry !== undefined && found.status !== 'pending') {
        isComplete = await saveOutput(entry.orchestrator, output, id, plan, manifestKey, { signal })
      }
      const directory = output.directory(id, manifestKey)
      const page = async (stream: StreamName) => {
        const { data: read, total } = await output.read(directory, stream, from[stream], maxBytes)
        const mayGrow = !isComplete || !hasEnded(found) || from[stream] + read.length < total
        const data = mayGrow ? wholeCharacters(read) : read
        return { data, next: from[stream] + data.length, total }
      }
      const [stdout, stderr] = [await page('stdout'), await page('stderr')]
      const isRead = stdout.next >= stdout.total && stderr.next >= stderr.total
      return { directory, stdout, stderr, isComplete: isComplete && hasEnded(found) && isRead, status: found.status }
    },
    manifest: (id) => manifestOf(find(id), live.get(id)?.actor, pluginExecutors)
  }
}

/** Without the beginning of a UTF-8 character at its end: pages travel as text, so the rest belongs to the next page. */
function wholeCharacters(data: Uint8Array): Uint8Array {
  for (let back = 1; back <= Math.min(3, data.length - 1); back += 1) {
    const byte = data[data.length - back] ?? 0
    if (byte < 0x80) return data
    if (byte < 0xc0) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return length > back ? data.subarray(0, data.length - back) : data
  }
  return data
}

/** Ensemble id: lower-case hex SHA-256 of the host's peer id and a random text (C §8.1). */
function newEnsembleId(host: string, random: Random): string {
  return createHash('sha256')
    .update(`${host}${randomHex(random, 16)}`)
    .digest('hex')
}

function ensembleOf(value: JsonValue, executors: readonly string[]): EnsembleConfig {
  const decoded = decodeEnsemble(value, { executors })
  if (!decoded.ok) throw new BadEnsembleError(`the ensemble is not valid: ${describeIssues(decoded.error)}`)
  return decoded.value
}

function manifestOf(
  { id, state, ensemble }: DeploymentRecord,
  actor: Actor | undefined,
  executors: readonly string[]
): JsonValue {
  const plan = planOf(state)
  const blueprint = toBlueprint(ensembleOf(ensemble, executors))
  const allocations = Object.entries(plan?.allocations ?? {}).map(([key, allocation]): readonly [string, object] => [
    key,
    {
      id: allocation.id,
      node_id: allocation.node,
      type: allocation.type,
      ...(allocation.handle === undefined ? {} : { handle: handleToJson(allocation.handle) }),
      dns_name: `${blueprint.allocations.get(allocation.name)?.dnsName ?? allocation.name}.internal`,
      priv_addr: '',
      ports: Object.fromEntries((allocation.ports ?? []).map((port) => [String(port.public), port.private])),
      status: allocation.status
    }
  ])
  const nodes = Object.entries(plan?.nodes ?? {}).map(([name, { peer, handle, place }]): readonly [string, object] => [
    name,
    {
      id: name,
      peer,
      handle: handleToJson(handle),
      pub_address: [],
      location: place,
      allocations: blueprint.nodes.find((node) => node.name === name)?.allocations ?? []
    }
  ])
  const manifest = {
    id,
    ...(actor === undefined ? {} : { orchestrator: handleToJson(actor.handle) }),
    allocations: Object.fromEntries(allocations),
    nodes: Object.fromEntries(nodes),
    subnet: { join: false },
    contracts: {}
  }
  return toPlainJson(manifest)
}

/** Drops what JSON does not carry. */
function toPlainJson(value: object): JsonValue {
  const plain: unknown = JSON.parse(JSON.stringify(value))
  return isJsonObject(plain) ? plain : {}
}
