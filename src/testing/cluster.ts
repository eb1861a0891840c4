import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ActorSystem, createActorSystem } from '../actor/index.ts'
import {
  bytes,
  createServiceGroup,
  gibibytes,
  hours,
  millis,
  type Service,
  silentLogger,
  systemRandom,
  toNanos
} from '../base/index.ts'
import { createMemoryStore, type MemoryStore } from '../db/index.ts'
import { createJobOutput, createKnownRevocations, createNode, type Node } from '../dms/index.ts'
import { createNullExecutor, createNullMachine, type NullMachine } from '../executor/null/index.ts'
import type { HardwareProbe, Machine } from '../hardware/index.ts'
import { type Did, generateKeyPair, type KeyPair } from '../identity/index.ts'
import { createCounters } from '../telemetry/index.ts'
import { type CapabilityContext, type ContextFile, createContext, createContextStore } from '../ucan/index.ts'
import { CLUSTER_HOST, createMemoryLogs, NO_ARTIFACTS } from './host.ts'
import { createMemoryNetwork, type MemoryNetwork } from './memory-network.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** One whole node of a cluster: everything real but network, store, machine and clock. */
export interface ClusterNode {
  readonly key: KeyPair
  readonly user: KeyPair
  readonly context: CapabilityContext
  /** The file of the context; what is anchored through it outlives a restart. */
  readonly contextFile: ContextFile
  readonly actors: ActorSystem
  readonly node: Node
  readonly store: MemoryStore
  readonly counters: ReturnType<typeof createCounters>
  /** Ends this process of the node; store, workloads and output stay. */
  stop(): Promise<void>
}

/** How a node of a cluster is started. */
export interface ClusterStartOptions {
  /** Called before each write; when it throws, the write does not happen. */
  readonly onWrite?: () => void
  /** What the node finds; {@link CLUSTER_MACHINE} when absent. */
  readonly machine?: Machine
}

type PretendedRun = NullMachine['runs'] extends Map<unknown, infer Run> ? Run : never

/** Nodes in one process that trust each other's users. */
export interface Cluster {
  readonly network: MemoryNetwork
  /** Starts a node with its own user, or again with what `previous` left. */
  start(previous?: ClusterNode, options?: ClusterStartOptions): Promise<ClusterNode>
  /** Lets `guest`'s user call public and deployment behaviours of `host`. */
  trust(host: ClusterNode, guest: ClusterNode): Promise<void>
  /** What the executor of a node pretends to run, or has. */
  runsOf(node: ClusterNode): readonly PretendedRun[]
  dispose(): Promise<void>
}

/** The machine of every node: 4 cores, 8 GiB RAM, 100 GiB disk. */
export const CLUSTER_MACHINE: Machine = {
  cpu: { cores: 4, clockHz: 2_400_000_000, model: 'test', vendor: 'test', threads: 4, architecture: 'x86_64', cacheBytes: 0 },
  memory: gibibytes(8),
  disk: { path: '/', total: gibibytes(100) },
  gpus: []
}

/** A machine of which nothing is in use. */
function probeOf(machine: Machine): HardwareProbe {
  return {
    capacity: () => Promise.resolve(machine),
    usage: () => Promise.resolve({ cpuCores: 0, memory: bytes(0), disk: bytes(0), gpus: [] })
  }
}

/** Creates an empty cluster on a virtual clock. */
export async function createCluster(clock: VirtualClock): Promise<Cluster> {
  const network = createMemoryNetwork({ clock })
  const directory = await mkdtemp(join(tmpdir(), 'dms-cluster-'))
  const machines = new Map<string, NullMachine>()
  const running = new Set<ClusterNode>()
  async function start(
    previous?: ClusterNode,
    { onWrite, machine: found = CLUSTER_MACHINE }: ClusterStartOptions = {}
  ): Promise<ClusterNode> {
    const key = previous?.key ?? generateKeyPair()
    const user = previous?.user ?? generateKeyPair()
    const machine = machines.get(key.peerId) ?? createNullMachine()
    machines.set(key.peerId, machine)
    const store = createMemoryStore(onWrite === undefined ? {} : { onWrite: () => onWrite() })
    if (previous !== undefined) store.restore(previous.store.snapshot())
    // A real file, so that a restart has what was saved and nothing that was only in memory.
    const contexts = createContextStore({ directory: join(directory, key.peerId), clock })
    const contextFile = previous === undefined ? await contexts.create('dms', key) : await contexts.open('dms', key)
    if (previous === undefined) await contextFile.update((draft) => draft.anchor({ kind: 'root', did: user.did }, clock.now()))
    const { context } = contextFile
    const revocations = createKnownRevocations({ store, context, clock, log: silentLogger })
    const counters = createCounters()
    const host = network.host(key.peerId)
    const shared = { context, clock, random: systemRandom, log: silentLogger, counters }
    const actors = createActorSystem({ key, transport: host, ...shared })
    const node = createNode({
      store,
      actors,
      key,
      peers: host,
      hardware: probeOf(found),
      host: CLUSTER_HOST,
      logs: createMemoryLogs(clock),
      artifacts: NO_ARTIFACTS,
      executors: new Map([['null', createNullExecutor({ clock, machine })]]),
      jobOutput: createJobOutput(join(directory, key.peerId, 'jobs'), 0o700),
      deploymentOutput: createJobOutput(join(directory, key.peerId, 'deployments'), 0o755),
      place: { continent: '', country: '', city: '' },
      allowPrivileged: false,
      contextFile,
      revocations,
      ...shared
    })
    const services: Service = createServiceGroup('cluster node', [store, revocations, actors, host, node])
    await services.start()
    for (const other of running) network.link(key.peerId, other.key.peerId)
    const started: ClusterNode = {
      key,
      user,
      context,
      contextFile,
      actors,
      node,
      store,
      counters,
      async stop() {
        running.delete(started)
        await services.stop()
      }
    }
    running.add(started)
    return started
  }

  return {
    network,
    start,
    runsOf: ({ key }) => [...(machines.get(key.peerId)?.runs.values() ?? [])],
    trust: (host, guest) => trust(host, guest, clock),
    async dispose() {
      await Promise.all([...running].map((node) => node.stop()))
      await rm(directory, { recursive: true, force: true })
    }
  }
}

/**
 * The two links of the quick start (A §10.3): the host requires what its user grants the guest's user; the guest's node
 * proves itself with what its user delegates to it.
 */
async function trust(host: ClusterNode, guest: ClusterNode, clock: VirtualClock): Promise<void> {
  const now = clock.now()
  const expiresAt = toNanos(millis(now + hours(24 * 30)))
  const capabilities = ['/public', '/broadcast', '/dms/deployment']
  const topics = ['/nunet']
  const grant = (issuer: KeyPair, subject: Did) =>
    createContext({ signer: issuer }).grant({ subject, capabilities, topics, expiresAt })
  const required = await grant(host.user, guest.user.did)
  const provided = await grant(guest.user, guest.key.did)
  for (const [{ contextFile }, anchor] of [
    [host, { kind: 'require', token: required }],
    [guest, { kind: 'provide', token: provided }]
  ] as const) {
    const added = await contextFile.update((context) => context.anchor(anchor, now))
    if (!added.ok) throw new Error(added.error.message)
  }
}
