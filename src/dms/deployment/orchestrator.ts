import { type Actor, rootHandleOf, type VerifiedEnvelope } from '../../actor/index.ts'
import {
  type AbortOptions,
  type Clock,
  errorMessage,
  type JsonValue,
  type Logger,
  minutes,
  type Random,
  randomHex,
  seconds
} from '../../base/index.ts'
import { publicKeyOfPeerId, verifyWithKey } from '../../identity/index.ts'
import {
  allocate,
  allocationLogs,
  allocationOutputs,
  allocationOutputsRead,
  allocationShutdown,
  allocationStart,
  allocationStatus,
  BID_BEHAVIOR,
  bidReply,
  bidRequest,
  commit,
  MAX_OUTPUT_FILES,
  OUTPUT_PAGE,
  OUTPUT_PIECE,
  revert,
  type ValueOf,
  type WireBid,
  type WireResources
} from '../../protocol/index.ts'
import type { StreamName } from '../output.ts'
import type { PlaceEntry } from '../place.ts'
import { RefusedError } from './errors.ts'
import type { ListedOutput, OutputSource } from './fetched-outputs.ts'
import type { Bid, Blueprint, BlueprintAllocation, BlueprintNode, Plan, PlannedAllocation } from './plan.ts'

/** How long bids are collected (C §8.16). */
const BID_WINDOW = seconds(5)

/** Bids looked at per node (C §8.16, MaxBidMultiplier). */
export const MAX_BIDS_PER_NODE = 8

/** Longest piece of output asked for at once (B §7.1). */
const PIECE_BYTES = 262_144

type Question = ValueOf<typeof bidRequest.request>

/** The messages that an orchestrator exchanges with providers; every method is safe to repeat. */
export interface Orchestrator {
  readonly actor: Actor
  /** Asks for bids and resolves with the valid ones after the window, or as soon as every pinned node has answered. */
  collectBids(blueprint: Blueprint, round: number, avoid: readonly string[], options: AbortOptions): Promise<readonly Bid[]>
  commit(blueprint: Blueprint, plan: Plan, key: string, options: AbortOptions): Promise<void>
  /** Creates the allocations of one node and resolves with their handles by manifest key. */
  allocate(
    blueprint: Blueprint,
    plan: Plan,
    node: string,
    options: AbortOptions
  ): Promise<Readonly<Record<string, PlannedAllocation['handle']>>>
  start(allocation: PlannedAllocation, options: AbortOptions): Promise<void>
  status(
    allocation: PlannedAllocation,
    options: AbortOptions
  ): Promise<{
    readonly status: string
    readonly error: string
    readonly exitCode?: number | undefined
    readonly startedAt?: string | undefined
  }>
  readOutput(
    plan: Plan,
    key: string,
    stream: StreamName,
    offset: number,
    options: AbortOptions
  ): Promise<{ readonly data: Uint8Array; readonly eof: boolean }>
  /** The outputs of an allocation that has ended, for {@link fetchOutputs}. */
  outputsOf(plan: Plan, key: string, options: AbortOptions): OutputSource
  shutdown(plan: Plan, key: string, options: AbortOptions): Promise<void>
  revert(plan: Plan, node: string, options: AbortOptions): Promise<void>
}

/** What an orchestrator needs. */
export interface OrchestratorOptions {
  readonly ensembleId: string
  readonly actor: Actor
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** Creates the messages of one deployment on its actor. */
export function createOrchestrator({ ensembleId, actor, clock, random, log }: OrchestratorOptions): Orchestrator {
  let collect: ((bid: WireBid, envelope: VerifiedEnvelope) => void) | undefined
  actor.on(bidReply, async (bid, envelope) => {
    collect?.(bid, envelope)
    return null
  })

  async function ask(blueprint: Blueprint, terms: Omit<Question, 'request'>, options: AbortOptions): Promise<void> {
    const question = (nodes: readonly BlueprintNode[]): Question => ({
      ...terms,
      request: nodes.map((node) => ({ v1: requestItem(node, blueprint) }))
    })
    const send = { timeout: BID_WINDOW, replyTo: BID_BEHAVIOR, ...options }
    const open = blueprint.nodes.filter(({ peer }) => peer === '')
    const pinned = blueprint.nodes.filter(({ peer }) => peer !== '').map((node) => ({ node, to: rootOf(node) }))
    if (open.length > 0) await actor.broadcast(bidRequest, question(open), send)
    for (const { node, to } of pinned) {
      // Not awaited: one that cannot be reached is tried for as long as bids are collected, and delays nobody else.
      actor.send(to, bidRequest, question([node]), send).catch((error: unknown) => {
        log.info('a pinned peer cannot be asked', { peer: node.peer, error: errorMessage(error) })
      })
    }
  }

  function rootOf({ name, peer }: BlueprintNode) {
    const key = publicKeyOfPeerId(peer)
    const to = key.ok ? rootHandleOf(key.value) : key
    if (!to.ok) throw new RefusedError(`node ${name} is pinned to ${peer}: ${to.error.message}`)
    return to.value
  }

  function handleOf(plan: Plan, node: string) {
    const planned = plan.nodes[node]
    if (planned === undefined) throw new RefusedError(`node ${node} has no home`)
    return planned.handle
  }

  function allocationOf(plan: Plan, key: string): PlannedAllocation {
    const allocation = plan.allocations[key]
    if (allocation === undefined) throw new RefusedError(`there is no allocation ${key}`)
    return allocation
  }

  return {
    actor,
    async collectBids(blueprint, round, avoid, options) {
      const bids: Bid[] = []
      const perPinned = blueprint.nodes.every(({ peer }) => peer !== '')
      const complete = new AbortController()
      const challenge = randomHex(random, 16)
      collect = (wire, envelope) => {
        const bid = wasAsked(wire, challenge) ? checkBid(wire, envelope, ensembleId, blueprint) : 'it answers another request'
        if (typeof bid === 'string') {
          log.info('bid refused', { deploymentID: ensembleId, peer: envelope.from.host, reason: bid })
          return
        }
        const ofNode = bids.filter(({ node }) => node === bid.node)
        if (ofNode.length >= MAX_BIDS_PER_NODE || ofNode.some(({ peer }) => peer === bid.peer)) return
        bids.push(bid)
        if (perPinned && bids.length === blueprint.nodes.length) complete.abort()
      }
      try {
        const peerExclusion = [...blueprint.excludedPeers, ...avoid]
        await ask(blueprint, { id: ensembleId, nonce: round, peerExclusion, challenge }, options)
        const signals = options.signal === undefined ? [complete.signal] : [complete.signal, options.signal]
        await clock.sleep(BID_WINDOW, { signal: AbortSignal.any(signals) }).catch((error: unknown) => {
          if (!complete.signal.aborted) throw error
        })
        return bids
      } finally {
        collect = undefined
      }
    },
    async commit(blueprint, plan, key, options) {
      const { id, node, name } = allocationOf(plan, key)
      const allocation = blueprint.allocations.get(name)
      if (allocation === undefined) throw new RefusedError(`there is no allocation ${name}`)
      const request = { ensembleId, allocation: id, nodeId: node, resources: wireResources([allocation]), ports: {} }
      const count = Object.keys(plan.allocations).length
      expectDone(await actor.invoke(handleOf(plan, node), commit, request, { timeout: seconds(3 + 3 * count), ...options }))
    },
    async allocate(blueprint, plan, node, options) {
      const keys = Object.keys(plan.allocations).filter((key) => plan.allocations[key]?.node === node)
      const allocations = Object.fromEntries(
        keys.flatMap((key) => {
          const { id, name } = allocationOf(plan, key)
          const allocation = blueprint.allocations.get(name)
          return allocation === undefined ? [] : [[id, allocationConfig(allocation)] as const]
        })
      )
      const timeout = seconds(5 + 5 * keys.length)
      const reply = await actor.invoke(
        handleOf(plan, node),
        allocate,
        { ensembleId, nodeId: node, allocations },
        { timeout, ...options }
      )
      expectDone(reply)
      const isElsewhere = Object.values(reply.allocations).some(({ host }) => host !== plan.nodes[node]?.peer)
      if (isElsewhere) throw new RefusedError(`node ${node} named an allocation on another peer`)
      return Object.fromEntries(keys.map((key) => [key, reply.allocations[allocationOf(plan, key).id]] as const))
    },
    async start(allocation, options) {
      const request = { subnetIp: '', gatewayIp: '', ports: {} }
      expectDone(await actor.invoke(handleIn(allocation), allocationStart, request, { timeout: minutes(5), ...options }))
    },
    status: (allocation, options) =>
      actor.invoke(handleIn(allocation), allocationStatus, null, { timeout: seconds(10), ...options }),
    async readOutput(plan, key, stream, offset, options) {
      const { id, node } = allocationOf(plan, key)
      const request = { allocation: id, stream, offset, maxBytes: PIECE_BYTES }
      const { data, eof } = await actor.invoke(handleOf(plan, node), allocationLogs(ensembleId), request, {
        timeout: seconds(20),
        ...options
      })
      return { data, eof }
    },
    outputsOf(plan, key, options) {
      const { id, node } = allocationOf(plan, key)
      const patience = { timeout: seconds(20), ...options }
      return {
        async list() {
          const files: ListedOutput[] = []
          for (;;) {
            const request = { allocation: id, offset: files.length, limit: OUTPUT_PAGE }
            const page = await actor.invoke(handleOf(plan, node), allocationOutputs(ensembleId), request, patience)
            files.push(...page.files)
            const isWhole = files.length >= page.total || page.files.length === 0
            if (isWhole) return { files: files.slice(0, MAX_OUTPUT_FILES), error: page.error, published: page.published ?? '' }
          }
        },
        async read(index, offset) {
          const request = { allocation: id, index, offset, maxBytes: OUTPUT_PIECE }
          const { data } = await actor.invoke(handleOf(plan, node), allocationOutputsRead(ensembleId), request, patience)
          return data
        }
      }
    },
    async shutdown(plan, key, options) {
      const { id, node } = allocationOf(plan, key)
      const behavior = allocationShutdown(ensembleId)
      expectDone(await actor.invoke(handleOf(plan, node), behavior, { allocationId: id }, { timeout: seconds(15), ...options }))
    },
    async revert(plan, node, options) {
      const allocations = Object.values(plan.allocations).filter((allocation) => allocation.node === node)
      const request = { ensembleId, allocations: allocations.map(({ id }) => id) }
      await actor.invoke(handleOf(plan, node), revert, request, { timeout: seconds(10), ...options })
    }
  }
}

function handleIn({ handle, id }: PlannedAllocation) {
  if (handle === undefined) throw new RefusedError(`${id} has not been created`)
  return handle
}

function expectDone(reply: { readonly ok: boolean; readonly error: string }): void {
  if (!reply.ok) throw new RefusedError(reply.error === '' ? 'refused without a reason' : reply.error)
}

/** Whether a bid answers this request: ours repeat its challenge, those of Go nodes have none. */
function wasAsked({ challenge }: WireBid, asked: string): boolean {
  return challenge === undefined || challenge === asked
}

/** A bid that counts, or why it does not (C §8.4). */
function checkBid(wire: WireBid, envelope: VerifiedEnvelope, ensembleId: string, { nodes }: Blueprint): Bid | string {
  const { peer, handle } = wire
  const node = nodes.find(({ name }) => name === wire.nodeId)
  if (wire.ensembleId !== ensembleId || node === undefined) return 'it is for something else'
  if (peer !== envelope.from.host || handle.host !== peer || handle.id !== envelope.from.id) return 'it comes from somebody else'
  if (handle.did !== (envelope.authorization?.origin ?? envelope.from.did)) return 'its DID is not proven by its tokens'
  if (node.peer !== '' && node.peer !== peer) return `node ${node.name} is pinned to ${node.peer}`
  const key = publicKeyOfPeerId(peer)
  if (!key.ok || !verifyWithKey(key.value, wire.signedBytes, wire.signature)) return 'its signature is wrong'
  return { node: node.name, peer, handle, place: wire.location }
}

function requestItem(node: BlueprintNode, blueprint: Blueprint) {
  const allocations = node.allocations.flatMap((name) => blueprint.allocations.get(name) ?? [])
  return {
    nodeId: node.name,
    executors: [...new Set(allocations.map(({ executor }) => executor))].map((type): JsonValue => ({ executor_type: type })),
    resources: wireResources(allocations),
    location: { accept: node.place.accept.map(toEntry), reject: node.place.reject.map(toEntry) },
    publicPorts: { static: [], dynamic: 0 },
    requirements: { privilegedDocker: allocations.some(({ privileged }) => privileged) }
  }
}

function toEntry({ continent, country, city }: PlaceEntry) {
  return { continent, country, city }
}

function wireResources(allocations: readonly BlueprintAllocation[]): WireResources {
  const sum = (of: (allocation: BlueprintAllocation) => number): number =>
    allocations.reduce((total, each) => total + of(each), 0)
  return {
    cpu: {
      clockHz: Math.max(0, ...allocations.map(({ clockHz }) => clockHz)),
      cores: Math.round(sum(({ cpuCores }) => cpuCores) * 100) / 100,
      model: '',
      vendor: '',
      threads: 0,
      architecture: allocations.map(({ architecture }) => architecture).find((text) => text !== '') ?? '',
      cacheBytes: 0
    },
    gpus: allocations.flatMap(({ gpus }) => gpus),
    ram: { size: sum(({ memory }) => memory), clockSpeed: 0, type: '' },
    disk: { size: sum(({ disk }) => disk), type: '' }
  }
}

function allocationConfig(allocation: BlueprintAllocation) {
  return {
    type: allocation.type,
    executor: allocation.executor,
    resources: wireResources([allocation]),
    execution: { type: allocation.executor, params: allocation.params },
    scripts: Object.fromEntries(allocation.scripts.map(({ name, content }) => [name, content])),
    ...(allocation.scripts.length === 0 ? {} : { scriptOrder: allocation.scripts.map(({ name }) => name) }),
    keys: allocation.keys.length === 0 ? null : allocation.keys.map((key) => ({ ...key })),
    volume: allocation.volumes.length === 0 ? null : allocation.volumes,
    contracts: null
  }
}
