import type { ActorSystem, Counters } from '../actor/index.ts'
import { type Clock, createServiceGroup, type Logger, type Random, type Service } from '../base/index.ts'
import type { KeyValueStore } from '../db/index.ts'
import type { Executor } from '../executor/index.ts'
import type { HardwareProbe } from '../hardware/index.ts'
import type { KeyPair } from '../identity/index.ts'
import type { Volumes } from '../storage/index.ts'
import type { CapabilityContext } from '../ucan/index.ts'
import { type Allocations, createAllocations } from './allocation/index.ts'
import { createBids, type ProviderFacts } from './bidding/index.ts'
import { createDeployments, type Deployments } from './deployment/index.ts'
import { createEventLog, type NodeEvent } from './events.ts'
import {
  type ArtifactStore,
  BIDDING,
  type CapabilityFile,
  CHATTER,
  createEventStreams,
  createExecutorWatch,
  createGreeter,
  createPeerEvents,
  createSpread,
  type EventStreams,
  type ExecutorWatch,
  type HostFacts,
  type LogControl,
  type PeerDirectory,
  type SpreadRule,
  serveAllocationBehaviors,
  serveArtifactBehaviors,
  serveCapabilityBehaviors,
  serveDeploymentBehaviors,
  serveEventBehaviors,
  serveLogBehaviors,
  serveNodeBehaviors,
  serveOutputBehaviors,
  servePeerBehaviors,
  serveProviderBehaviors,
  serveStatusBehaviors,
  serveVolumeBehaviors
} from './node/index.ts'
import { createOnboarding } from './onboarding/index.ts'
import type { JobOutput } from './output.ts'
import type { Place } from './place.ts'
import { type Amount, createResourceLedger, NOTHING, type ResourceLedger } from './resources/index.ts'
import { createRevocationExchange, type KnownRevocations } from './revocation/index.ts'

/** What a node is made of. */
export interface NodeOptions {
  readonly store: KeyValueStore
  readonly actors: ActorSystem
  readonly context: CapabilityContext
  /** The file behind the context. */
  readonly contextFile: CapabilityFile
  /** Started before any message is heard, so that what was revoked before a restart stays revoked. */
  readonly revocations: KnownRevocations
  readonly key: KeyPair
  readonly peers: PeerDirectory
  readonly hardware: HardwareProbe
  /** The process and machine around the node. */
  readonly host: HostFacts
  /** The log of the process. */
  readonly logs: LogControl
  /** By the `executor:` word of ensembles. */
  readonly executors: ReadonlyMap<string, Executor>
  /** Executors of plugins that ensembles may name: those of this node, and those that other nodes are said to have. */
  readonly pluginExecutors?: readonly string[]
  /** What is kept of registries for jobs. */
  readonly artifacts: ArtifactStore
  /** Gives volumes to jobs; without it none are had. */
  readonly volumes?: Volumes
  /** Output of the jobs that run here. */
  readonly jobOutput: JobOutput
  /** Output that deployments of this node have fetched. */
  readonly deploymentOutput: JobOutput
  readonly place: Place
  readonly allowPrivileged: boolean
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly counters: Counters
}

/** A whole node: lends, runs and deploys. */
export interface Node extends Service {
  readonly ledger: ResourceLedger
  readonly allocations: Allocations
  readonly deployments: Deployments
  readonly executors: ExecutorWatch
  readonly eventStreams: EventStreams
}

/**
 * Composes the domain of a node.
 *
 * Behaviours are served only after what they need is restored, so a node that is not ready answers nothing.
 */
export function createNode(options: NodeOptions): Node {
  const { store, actors, context, key, peers, hardware, clock, random, log, counters, place, allowPrivileged } = options
  const events = createEventLog({ clock, random })
  const eventStreams = createEventStreams({ events, context, clock, random, log: log.child({ logger: 'events' }) })
  const { publish } = events
  const ledger = createResourceLedger({ store, clock, onOffer: (amount) => publish(offerEvent(amount)) })
  const executors = createExecutorWatch({
    executors: options.executors,
    clock,
    log: log.child({ logger: 'executors' }),
    onChange: (executor, reason) => publish(executorEvent(executor, reason))
  })
  const shared = { store, actors, context, nodeKey: key, clock, random, log }
  const allocations = createAllocations({
    ...shared,
    ledger,
    executors: options.executors,
    hardware,
    output: options.jobOutput,
    allowPrivileged,
    volumes: options.volumes,
    onStatus: ({ id, ensembleId }, status) => publish({ type: 'allocation', allocation: id, deployment: ensembleId, status })
  })
  const deployments = createDeployments({
    ...shared,
    output: options.deploymentOutput,
    peers: () => peers.peers(),
    pluginExecutors: options.pluginExecutors ?? [],
    onStatus: ({ id }, status) => publish({ type: 'deployment', deployment: id, status })
  })
  const greeter = createGreeter({ actor: actors.root, peers, clock, random, log: log.child({ logger: 'hello' }) })

  const exchange = createRevocationExchange({
    actor: actors.root,
    context,
    known: options.revocations,
    peers,
    clock,
    random,
    log: log.child({ logger: 'revocations' }),
    counters
  })

  async function facts(free: Amount): Promise<ProviderFacts> {
    const { cpu, gpus } = await hardware.capacity()
    return {
      offer: ledger.offer(),
      free,
      architecture: cpu.architecture,
      cards: gpus,
      executors: executors.available(),
      allowPrivileged,
      place
    }
  }

  const behaviors: Service = {
    name: 'behaviors',
    start() {
      const onboarding = createOnboarding({ ledger, hardware })
      const spread = (rule: SpreadRule) => createSpread({ rule, peers, clock, random, counters })
      serveNodeBehaviors({ actor: actors.root, greeter, hardware, onboarding, ledger, spread: spread(CHATTER) })
      servePeerBehaviors(actors.root, peers)
      const { host, logs } = options
      serveStatusBehaviors({
        actor: actors.root,
        host,
        peers,
        hardware,
        ledger,
        executors,
        allocations,
        deployments,
        counters,
        spread: spread(CHATTER)
      })
      serveLogBehaviors({ actor: actors.root, logs, log: log.child({ logger: 'telemetry' }) })
      serveAllocationBehaviors({ actor: actors.root, allocations, hardware })
      serveArtifactBehaviors(actors.root, options.artifacts)
      serveVolumeBehaviors(actors.root, options.volumes)
      const bids = createBids({ clock, ledger })
      serveProviderBehaviors({
        actors,
        nodeKey: key,
        bids,
        ledger,
        allocations,
        executors: options.executors,
        hardware,
        clock,
        random,
        log: log.child({ logger: 'bidding' }),
        counters,
        place,
        allowPrivileged,
        volumes: options.volumes,
        spread: spread(BIDDING),
        facts
      })
      serveDeploymentBehaviors(actors.root, deployments)
      serveOutputBehaviors(actors.root, deployments)
      serveEventBehaviors(actors.root, events, eventStreams)
      serveCapabilityBehaviors({
        actor: actors.root,
        context,
        file: options.contextFile,
        exchange,
        clock,
        log: log.child({ logger: 'capabilities' })
      })
      actors.serve()
      return Promise.resolve()
    },
    stop: () => Promise.resolve()
  }

  const group = createServiceGroup('node', [
    createPeerEvents(peers, publish),
    ledger,
    executors,
    allocations,
    deployments,
    exchange,
    behaviors,
    greeter,
    eventStreams
  ])
  return { ...group, ledger, allocations, deployments, executors, eventStreams }
}

function offerEvent(amount: Amount | undefined): NodeEvent {
  return { type: 'offer', status: amount === undefined ? 'withdrawn' : 'lent', amount: amount ?? NOTHING }
}

function executorEvent(executor: string, reason: string | undefined): NodeEvent {
  return { type: 'executor', executor, status: reason === undefined ? 'available' : 'missing', reason: reason ?? '' }
}
