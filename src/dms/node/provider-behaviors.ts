import { isDeepStrictEqual } from 'node:util'
import { type ActorSystem, type Counters, type Handler, SILENCE, type VerifiedEnvelope } from '../../actor/index.ts'
import {
  type Clock,
  createBudgets,
  isJsonObject,
  type JsonValue,
  type Logger,
  type Random,
  seconds,
  shuffled
} from '../../base/index.ts'
import type { Executor } from '../../executor/index.ts'
import type { HardwareProbe } from '../../hardware/index.ts'
import type { KeyPair } from '../../identity/index.ts'
import {
  allocate,
  allocationLogs,
  allocationOutputs,
  allocationOutputsRead,
  allocationShutdown,
  bidReply,
  bidRequest,
  bidSignedBytes,
  commit,
  DONE,
  OUTPUT_PAGE,
  OUTPUT_PIECE,
  revert,
  type ValueOf,
  type WireBid,
  type WireResources
} from '../../protocol/index.ts'
import type { Volumes } from '../../storage/index.ts'
import { type AllocationRequest, type Allocations, toPreparation, workloadGpus } from '../allocation/index.ts'
import {
  type BidItem,
  BidMismatchError,
  type Bids,
  judge,
  type LiveBid,
  NoBidError,
  type ProviderFacts
} from '../bidding/index.ts'
import type { Place, PlaceRule } from '../place.ts'
import { type Amount, add, type ResourceLedger, shortages, total } from '../resources/index.ts'
import { BadRequestError } from './errors.ts'
import type { Spread } from './spread.ts'
import { toAmount, toGpuNeeds } from './wire-resources.ts'

/** What the provider's behaviours speak to. */
export interface ProviderBehaviorsOptions {
  readonly actors: ActorSystem
  readonly nodeKey: KeyPair
  readonly bids: Bids
  readonly ledger: ResourceLedger
  readonly allocations: Allocations
  readonly executors: ReadonlyMap<string, Executor>
  readonly hardware: Pick<HardwareProbe, 'capacity'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly counters: Counters
  readonly place: Place
  readonly allowPrivileged: boolean
  readonly volumes?: Pick<Volumes, 'check'> | undefined
  /** Spreads the answers to broadcasts. */
  readonly spread: Spread
  /** What this provider is and has now, of which `free` is free for the asker. */
  facts(free: Amount): Promise<ProviderFacts>
}

/** Longest piece of output in one reply (B §7.1), and what is sent when no length is asked for. */
const MAX_PIECE_BYTES = 524_288

/** How long one bid may be on its way: the asker waits no longer (C §8.16). */
const BID_SEND_LIMIT = seconds(5)

/**
 * What one DID may ask bids for, in requests and in ensemble nodes: each costs a look at the machine, a hold and a signature. A large
 * ensemble of 256 nodes asks once a round, and a round takes five seconds or more.
 */
const BID_REQUESTS = { capacity: 64, perSecond: 2 }
const BID_ITEMS = { capacity: 1024, perSecond: 64 }

/** Ids become names of directories, containers and inboxes. */
const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/

/** Serves bid requests, commit, allocate, revert, and for each ensemble logs and shutdown (B §7.1, C §9). */
export function serveProviderBehaviors(options: ProviderBehaviorsOptions): void {
  const { actors, bids, ledger, allocations, log, counters } = options
  const { root } = actors
  const ensembles = new Map<string, readonly (() => void)[]>()
  const requestsOf = createBudgets(options.clock, BID_REQUESTS)
  const itemsOf = createBudgets(options.clock, BID_ITEMS)

  const answerRequest: Handler<BidRequest, WireBid> = async (request, envelope, { signal }) => {
    const own = root.handle.host
    if (request.peerExclusion.includes(own)) return SILENCE
    const asker = originOf(envelope)
    if (!requestsOf(asker).take() || !itemsOf(asker).take(request.request.length)) {
      counters.increment('bids.refused.too-often')
      return SILENCE
    }
    for (const { v1 } of shuffled(options.random, request.request)) {
      if (signal.aborted) break
      if (v1 === undefined) {
        counters.increment('bids.refused.no-body')
        continue
      }
      const item = toBidItem(v1)
      const verdict = judge(item, await options.facts(bids.free(request.id, item.nodeId)))
      if (!verdict.ok) {
        counters.increment('bids.refused.does-not-fit')
        log.info('no bid', { deploymentID: request.id, node: item.nodeId, reason: verdict.error })
        continue
      }
      if (!bids.make(request.id, { asker, item, gpus: verdict.value })) continue
      await sendBid(request, item.nodeId, envelope, signal)
    }
    return SILENCE
  }
  root.on(bidRequest, options.spread.over(answerRequest))

  async function sendBid(request: BidRequest, nodeId: string, envelope: VerifiedEnvelope, signal: AbortSignal): Promise<void> {
    if (envelope.replyTo === '') return
    const { id: ensembleId, challenge } = request
    const unsigned = {
      ...{ ensembleId, nodeId, peer: root.handle.host, location: options.place, handle: root.handle },
      ...(challenge === undefined ? {} : { challenge })
    }
    const signedBytes = bidSignedBytes(unsigned)
    const signature = await options.nodeKey.sign(signedBytes)
    await root.send(
      envelope.from,
      { ...bidReply, name: envelope.replyTo },
      { ...unsigned, signature, signedBytes },
      { inReplyTo: envelope, timeout: BID_SEND_LIMIT, signal }
    )
    log.info('bid', { deploymentID: ensembleId, node: nodeId, to: envelope.from.did })
  }

  root.on(commit, async ({ ensembleId, nodeId, allocation, resources }, envelope) => {
    const owner = originOf(envelope)
    const bid = bids.find(ensembleId, nodeId)
    const id = fullId(ensembleId, nodeId, allocation)
    if (ledger.commitments().get(id)?.owner === owner) return DONE
    if (bid === undefined || bid.asker !== owner) throw new NoBidError(`no live bid for node ${nodeId} of ensemble ${ensembleId}`)
    const ofNode = [...ledger.commitments()].filter(([other]) => other.startsWith(`${ensembleId}_${nodeId}.`))
    const amount = amountWithinBid(bid, resources, total(ofNode.map(([, commitment]) => commitment.amount)))
    await ledger.commit(id, { amount, owner, expiresAt: bid.expiresAt }, bids.holdOf(ensembleId, nodeId))
    return DONE
  })

  root.on(allocate, async ({ ensembleId, nodeId, allocations: wanted }, envelope) => {
    const owner = originOf(envelope)
    const requests: AllocationRequest[] = []
    for (const [name, config] of Object.entries(wanted)) {
      const id = fullId(ensembleId, nodeId, name)
      const amount = ledger.commitments().get(id)?.amount ?? toAmount(config.resources)
      const executor = config.executor === '' ? config.execution.type : config.executor
      const type = config.type === 'task' ? 'task' : 'service'
      const { params } = config.execution
      const preparation = toPreparation(config.scripts, config.scriptOrder, config.keys, config.volume)
      await checkWorkload(options, { id, executor, params, amount, preparation })
      requests.push({ id, ensembleId, nodeId, owner, orchestrator: envelope.from, type, executor, params, amount, preparation })
    }
    const handles = await allocations.allocate(requests)
    serveEnsemble(ensembleId)
    return { ok: true, error: '', allocations: Object.fromEntries(handles) }
  })

  root.on(revert, async ({ ensembleId, allocations: names }, envelope) => {
    const owner = originOf(envelope)
    for (const id of names.filter((name) => name.startsWith(`${ensembleId}_`))) await allocations.discard(id, owner)
    return DONE
  })

  function serveEnsemble(ensembleId: string): void {
    if (ensembles.has(ensembleId)) return
    const alive = new Set(allocations.list().map((record) => record.ensembleId))
    for (const [id, ends] of ensembles) {
      if (alive.has(id)) continue
      for (const end of ends) end()
      ensembles.delete(id)
    }
    ensembles.set(ensembleId, [
      root.on(allocationLogs(ensembleId), async ({ allocation, stream, offset, maxBytes }, envelope) => {
        const name = stream === 'stderr' ? 'stderr' : 'stdout'
        const length = maxBytes === 0 ? MAX_PIECE_BYTES : maxBytes
        const { data, total, eof } = await allocations.readOutput(allocation, originOf(envelope), name, offset, length)
        return { offset, nextOffset: offset + data.length, totalSize: total, eof, data }
      }),
      root.on(allocationOutputs(ensembleId), async ({ allocation, offset, limit }, envelope) => {
        const { files, error, published } = await allocations.outputFiles(allocation, originOf(envelope))
        const page = files.slice(offset, offset + (limit === 0 ? OUTPUT_PAGE : limit))
        return { files: page, total: files.length, error, ...(published === '' ? {} : { published }) }
      }),
      root.on(allocationOutputsRead(ensembleId), async ({ allocation, index, offset, maxBytes }, envelope) => {
        const piece = { index, offset, maxBytes: maxBytes === 0 ? OUTPUT_PIECE : maxBytes }
        const { data, size } = await allocations.readOutputFile(allocation, originOf(envelope), piece)
        return { totalSize: size, data }
      }),
      root.on(allocationShutdown(ensembleId), async ({ allocationId }, envelope) => {
        await allocations.discard(allocationId, originOf(envelope))
        return DONE
      })
    ])
  }

  for (const { ensembleId } of allocations.list()) serveEnsemble(ensembleId)
}

/** The DID in whose name a caller acts; the node itself when it calls its own root actor. */
function originOf(envelope: VerifiedEnvelope): string {
  return envelope.authorization?.origin ?? envelope.from.did
}

/**
 * What one allocation is promised out of a bid of which `used` is promised already. Each graphics card is one that the bid was made
 * for, so that the card that a later allocation needs is still there.
 */
function amountWithinBid({ item, gpus }: LiveBid, resources: WireResources, used: Amount): Amount {
  const taken = new Set(used.gpus.map(({ device }) => device))
  const shares = toGpuNeeds(resources).map((need) => {
    const share = gpus.find(({ device }, index) => !taken.has(device) && isDeepStrictEqual(item.gpus[index], need))
    if (share === undefined) throw new BidMismatchError(`the bid has no graphics card for ${JSON.stringify(need)}`)
    taken.add(share.device)
    return share
  })
  const amount = toAmount(resources)
  const excess = shortages(item.amount, add({ ...used, gpus: [] }, amount))
  if (excess.length > 0) throw new BidMismatchError(`more is to be committed than was bid for: ${excess.join(', ')}`)
  return { ...amount, gpus: shares }
}

function fullId(ensembleId: string, nodeId: string, name: string): string {
  const prefix = `${ensembleId}_${nodeId}.`
  const id = name.startsWith(prefix) ? name : prefix + name
  if (!ID.test(id)) throw new BadRequestError(`${JSON.stringify(id)} cannot be the id of an allocation`)
  return id
}

async function checkWorkload(
  { executors, allowPrivileged, volumes, hardware }: ProviderBehaviorsOptions,
  { id, executor, params, amount, preparation }: Pick<AllocationRequest, 'id' | 'executor' | 'params' | 'amount' | 'preparation'>
): Promise<void> {
  const driver = executors.get(executor)
  if (driver === undefined) throw new BadRequestError(`there is no executor ${JSON.stringify(executor)} here`)
  const { cpuCores, memory, disk } = amount
  const limits = { cpuCores, memory, disk, pids: 1 }
  const { files, scripts } = preparation
  const gpus = await workloadGpus(amount.gpus, hardware)
  await driver.check({ id, spec: params, limits, directory: '/', allowPrivileged, ports: [], files, scripts, gpus })
  if (preparation.volumes.length === 0) return
  if (volumes === undefined || !driver.features.mounts)
    throw new BadRequestError(`jobs of executor ${executor} get no volumes here`)
  volumes.check(preparation.volumes)
}

type BidRequest = ValueOf<typeof bidRequest.request>

interface RequestItem {
  readonly nodeId: string
  readonly executors: readonly JsonValue[]
  readonly resources: WireResources
  readonly location?: PlaceRule | undefined
  readonly publicPorts?: { readonly static: readonly number[]; readonly dynamic: number } | undefined
  readonly requirements?: { readonly privilegedDocker: boolean } | undefined
  readonly contracts?: JsonValue | undefined
}

function toBidItem({ nodeId, executors, resources, location, publicPorts, requirements, contracts }: RequestItem): BidItem {
  const place: PlaceRule = location ?? { accept: [], reject: [] }
  return {
    nodeId,
    executors: executors.map(executorName),
    amount: toAmount(resources),
    architecture: resources.cpu.architecture,
    place,
    privileged: requirements?.privilegedDocker ?? false,
    gpus: toGpuNeeds(resources),
    ports: (publicPorts?.static.length ?? 0) + (publicPorts?.dynamic ?? 0),
    contracts: isJsonObject(contracts) && Object.keys(contracts).length > 0
  }
}

/** Peers name executors as text or as an object with one text inside (C §3.3 leaves its form open). */
function executorName(executor: JsonValue): string {
  if (typeof executor === 'string') return executor
  if (!isJsonObject(executor)) return ''
  return Object.values(executor).find((value): value is string => typeof value === 'string') ?? ''
}
