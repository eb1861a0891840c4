import type { ActorSystem, Counters } from '../actor/index.ts'
import { type Clock, createServiceGroup, type Logger, type Random, type Service } from '../base/index.ts'
import type { KeyValueStore } from '../db/index.ts'
import type { Executor } from '../executor/index.ts'
import type { HardwareProbe } from '../hardware/index.ts'
import type { KeyPair } from '../identity/index.ts'
import type { CapabilityContext } from '../ucan/index.ts'
import { type Allocations, createAllocations } from './allocation/index.ts'
import { createBids, type ProviderFacts } from './bidding/index.ts'
import { createDeployments, type Deployments } from './deployment/index.ts'
import {
  type CapabilityFile,
  createExecutorWatch,
  createGreeter,
  type ExecutorWatch,
  type HostFacts,
  type LogControl,
  type PeerDirectory,
  serveAllocationBehaviors,
  serveCapabilityBehaviors,
  serveDeploymentBehaviors,
  serveLogBehaviors,
  serveNodeBehaviors,
  servePeerBehaviors,
  serveProviderBehaviors,
  serveStatusBehaviors
} from './node/index.ts'
import { createOnboarding } from './onboarding/index.ts'
import type { JobOutput } from './output.ts'
import type { Place } from './place.ts'
import { createResourceLedger, type ResourceLedger } from './resources/index.ts'
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
}

/**
 * Composes the domain of a node.
 *
 * Behaviours are served only after what they need is restored, so a node that is not ready answers nothing.
 */
export function createNode(options: NodeOptions): Node {
  const { store, actors, context, key, peers, hardware, clock, random, log, counters, place, allowPrivileged } = options
  const ledger = createResourceLedger({ store, clock })
  const executors = createExecutorWatch({ executors: options.executors, clock, log: log.child({ logger: 'executors' }) })
  const shared = { store, actors, context, nodeKey: key, clock, random, log }
  const allocations = createAllocations({
    ...shared,
    ledger,
    executors: options.executors,
    output: options.jobOutput,
    allowPrivileged
  })
  const deployments = createDeployments({ ...shared, output: options.deploymentOutput, peers: () => peers.peers() })
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

  async function facts(): Promise<ProviderFacts> {
    const { cpu } = await hardware.capacity()
    return {
      offer: ledger.offer(),
      free: ledger.free(),
      architecture: cpu.architecture,
      executors: executors.available(),
      allowPrivileged,
      place
    }
  }

  const behaviors: Service = {
    name: 'behaviors',
    start() {
      const onboarding = createOnboarding({ ledger, hardware })
      serveNodeBehaviors({ actor: actors.root, greeter, hardware, onboarding, ledger })
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
        counters
      })
      serveLogBehaviors({ actor: actors.root, logs, log: log.child({ logger: 'telemetry' }) })
      serveAllocationBehaviors({ actor: actors.root, allocations, hardware })
      const bids = createBids({ clock, ledger })
      serveProviderBehaviors({
        actors,
        nodeKey: key,
        bids,
        ledger,
        allocations,
        executors: options.executors,
        random,
        log: log.child({ logger: 'bidding' }),
        counters,
        place,
        allowPrivileged,
        facts
      })
      serveDeploymentBehaviors(actors.root, deployments)
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

  const group = createServiceGroup('node', [ledger, executors, allocations, deployments, exchange, behaviors, greeter])
  return { ...group, ledger, allocations, deployments, executors }
}
