import { hours } from '../../base/index.ts'
import { type ActorOwners, createActorOwners } from './actors.ts'
import { restartLater, startFaults } from './fault-plan.ts'
import type { Faults } from './faults.ts'
import { readFrameHead } from './frame-head.ts'
import { startHostilePeer } from './hostile.ts'
import { capabilitiesInvariant } from './invariants/capabilities.ts'
import { deploymentsInvariant } from './invariants/deployments.ts'
import { durabilityInvariant } from './invariants/durability.ts'
import { failuresInvariant } from './invariants/failures.ts'
import { messagesInvariant } from './invariants/messages.ts'
import { resourcesInvariant } from './invariants/resources.ts'
import { workloadsInvariant } from './invariants/workloads.ts'
import { createSimulatedNetwork, type NetworkObserver, type SimulatedNetwork } from './network.ts'
import { createSimulatedNode } from './node.ts'
import { combineObservers, type Frame, type Observer } from './observer.ts'
import { createOwner, type Owner } from './owner.ts'
import { createCommittedRecords } from './records.ts'
import type { SimulatedNode } from './simulated-node.ts'
import { establishTrust, type Trust } from './trust.ts'
import { createWire, type Wire } from './wire.ts'
import { closeShop, startOwners, WORKLOADS, type Workload } from './workload.ts'
import { createWorld, type Violation, WORLD_START, type World } from './world.ts'
import { createWorldVerifier } from './world-verifier.ts'

/** What is simulated. */
export interface SimulationOptions {
  /** Everything that happens follows from it and from the other options. */
  readonly seed: string
  readonly nodes: number
  /** Virtual hours of work and faults; some more follow in which everything has to come to rest. */
  readonly hours: number
  readonly faults: Faults
  /** A name in {@link WORKLOADS}, or one of the caller's. */
  readonly workload: string | Workload
  /** Whether everything has to come to rest afterwards, which takes a few more virtual hours; default true. */
  readonly comesToRest?: boolean
  /** Sees every line of the trace. */
  readonly print?: (line: string) => void
  /** More invariants: called with the world before its nodes start. */
  readonly invariants?: (world: World) => Observer
}

/** How a simulation went. */
export interface SimulationResult {
  readonly violations: readonly Violation[]
  /** The last lines of the trace. */
  readonly recent: readonly string[]
  /** SHA-256 of the whole trace. */
  readonly hash: string
  readonly events: number
  readonly lines: number
  /** Virtual seconds. */
  readonly simulated: number
}

/** Neighbours of each node in a world that is too large for everybody to know everybody. */
const NEIGHBOURS = 8
const LARGEST_MESH = 25

/** How long after the last fault everything must have come to rest, and how much longer what belongs to nobody may run. */
const REST = hours(3)
const LEASE_REST = hours(27)

/** Simulates one world, until its end or the first violation. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const world = createWorld(`${options.seed}/${options.nodes}`, options.print)
  const scene = await setScene(world, options)
  const end = WORLD_START + hours(options.hours)
  const rejected = (error: unknown): void =>
    world.violate('failure', `a promise was rejected: ${error instanceof Error ? error.stack : String(error)}`)
  process.on('unhandledRejection', rejected)
  const stacks = Error.stackTraceLimit
  // Nodes give up thousands of waits a day, each with an error whose stack costs more than the rest of it.
  if (options.print === undefined) Error.stackTraceLimit = 0
  try {
    for (const node of scene.nodes) world.after(world.chance.between(0, 5000), () => void node.start())
    startOwners({ world, ...scene }, workloadOf(options.workload), end)
    startFaults({ world, ...scene }, options.faults, end)
    await world.run(end)
    if (options.comesToRest !== false) await comeToRest(world, scene)
  } finally {
    Error.stackTraceLimit = stacks
    process.off('unhandledRejection', rejected)
  }
  return {
    violations: world.violations,
    recent: world.trace.recent(),
    hash: world.trace.hash(),
    events: world.events,
    lines: world.trace.count,
    simulated: (world.now() - WORLD_START) / 1000
  }
}

interface Scene {
  readonly nodes: readonly SimulatedNode[]
  readonly network: SimulatedNetwork
  readonly wire: Wire
  readonly trust: Trust
  readonly ownerOf: (node: SimulatedNode) => Owner
  readonly observer: Required<Observer>
}

async function setScene(world: World, options: SimulationOptions): Promise<Scene> {
  const nodes: SimulatedNode[] = []
  const byPeer = new Map<string, SimulatedNode>()
  const nodeOf = (peer: string): SimulatedNode | undefined => byPeer.get(peer)
  const observers: Observer[] = []
  const observer = combineObservers(observers) // the invariants follow once the nodes are known
  const verdict = { text: '' }
  const verifier = createWorldVerifier(() => world.violate('failure', 'a signature that was good is not any more'))
  const wire = createWire(world, options.faults)
  const network = createSimulatedNetwork(world, wire, observeFrames(world, nodeOf, observer, verdict))
  for (let index = 0; index < options.nodes; index += 1) {
    const node = createSimulatedNode({
      name: `n${String(index + 1).padStart(2, '0')}`,
      world,
      network,
      observer,
      verifier,
      neighbours: neighboursOf(world, nodes, options.nodes),
      onCount: (name) => {
        if (name.startsWith('messages.refused.')) verdict.text = name.slice('messages.'.length)
      }
    })
    nodes.push(node)
    byPeer.set(node.key.peerId, node)
  }
  const trust = await establishTrust(world, nodes, verifier)
  const records = createCommittedRecords()
  const owners: ActorOwners = createActorOwners(nodeOf)
  observers.push(
    records,
    owners,
    { stopped: (node) => restartLater(world, node) },
    writesInTrace(world),
    resourcesInvariant(world, records),
    workloadsInvariant(world, records),
    capabilitiesInvariant(world, trust, owners, records),
    messagesInvariant(world),
    durabilityInvariant(world, records, nodeOf),
    deploymentsInvariant(world, records),
    failuresInvariant(world)
  )
  if (options.invariants !== undefined) observers.push(options.invariants(world))
  const scene = { nodes, network, wire, trust, observer, ownerOf: ownersOf(world) }
  if (options.faults.has('hostile')) observers.push(hostility(world, scene, WORLD_START + hours(options.hours)))
  return scene
}

/** Peers that belong to nobody, and hear a part of what the others say. */
function hostility(world: World, { nodes, network }: Pick<Scene, 'nodes' | 'network'>, end: number): Observer {
  const peers = ['mallory', 'oscar'].map((name) => startHostilePeer({ world, nodes, network, name, end }))
  return {
    frameSent(frame) {
      if (!frame.isHostile) for (const peer of peers) peer.overhear(frame)
    }
  }
}

/** One owner for each node: what it makes up is never made up twice. */
function ownersOf(world: World): (node: SimulatedNode) => Owner {
  const owners = new Map<SimulatedNode, Owner>()
  return (node) => {
    const owner = owners.get(node) ?? createOwner(world, node)
    owners.set(node, owner)
    return owner
  }
}

/** Shows frames to the invariants, and in the trace those that arrive, with what became of them. */
function observeFrames(
  world: World,
  nodeOf: (peer: string) => SimulatedNode | undefined,
  observer: Required<Observer>,
  verdict: { text: string }
): NetworkObserver {
  const frameOf = (from: string, to: string, inbox: string, bytes: Uint8Array): Frame => ({
    from,
    to,
    inbox,
    bytes,
    head: readFrameHead(bytes),
    isHostile: nodeOf(from) === undefined
  })
  const nameOf = (peer: string): string => nodeOf(peer)?.name ?? peer.slice(-6)
  return {
    sent: (from, to, bytes) => observer.frameSent(frameOf(from, to, '', bytes)),
    failed: (host, error) => world.violate('failure', `a listener of ${nameOf(host)} failed: ${error}`),
    delivering({ from, to, inbox, frame: bytes }, deliver) {
      const frame = frameOf(from, to, inbox, bytes)
      verdict.text = ''
      observer.frameArrives(frame)
      deliver()
      observer.frameHandled(frame, verdict.text)
      const what = frame.head === undefined ? `${bytes.length} bytes` : shortBehavior(frame.head.behavior)
      const result = verdict.text === '' ? '' : ` (${verdict.text})`
      world.note(nameOf(to), `← ${nameOf(from)} ${what}${result}`)
    }
  }
}

/** Reply paths are long and say nothing. */
function shortBehavior(behavior: string): string {
  return behavior
    .replace(/^(\/dms\/actor\/replyto|\/private\/user|\/public\/user)\/.*/, 'reply')
    .replace(/\/dms\/ensemble\/(.{8})[^/]*/, '/dms/ensemble/$1')
}

function writesInTrace(world: World): Observer {
  return {
    committed(node, changes) {
      for (const { collection, id, value } of changes) {
        const phase = value === undefined ? 'deleted' : (/"phase":"([a-z]+)"/.exec(value)?.[1] ?? 'written')
        world.note(node.name, `disk: ${collection} ${id.length > 64 ? id.slice(0, 8) + id.slice(64) : id.slice(0, 8)} ${phase}`)
      }
    },
    contextSaved: (node) => world.note(node.name, 'disk: capability context')
  }
}

function neighboursOf(world: World, before: readonly SimulatedNode[], total: number): readonly string[] {
  const peers = before.map(({ key }) => key.peerId)
  if (total <= LARGEST_MESH) return peers
  const chosen = new Set<string>()
  const wanted = Math.min(NEIGHBOURS / 2, peers.length)
  while (chosen.size < wanted) chosen.add(world.chance.pick(peers))
  return [...chosen]
}

/** Nothing is broken any more: all owners close their shops, and then nothing may be left over. */
async function comeToRest(world: World, { nodes, observer, ownerOf }: Scene): Promise<void> {
  if (world.violations.length > 0) return
  await world.run(world.now() + hours(1))
  for (const node of nodes) if (!node.isGone) void closeShop(world, ownerOf(node))
  await world.run(world.now() + REST)
  const isLeft = nodes.some(({ isGone, workloads }) => !isGone && workloads.machine.runs.size > 0)
  if (isLeft) await world.run(world.now() + LEASE_REST)
  if (world.violations.length === 0) observer.settled(nodes.filter(({ isGone }) => !isGone))
}

function workloadOf(workload: string | Workload): Workload {
  if (typeof workload !== 'string') return workload
  const known = Object.hasOwn(WORKLOADS, workload) ? WORKLOADS[workload] : undefined
  if (known !== undefined) return known
  throw new Error(`there is no workload ${JSON.stringify(workload)}; there are ${Object.keys(WORKLOADS).join(', ')}`)
}
