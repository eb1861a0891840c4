import './polyfills.ts'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createActorSystem } from './actor/index.ts'
import { type ApiPlaces, createApiServer } from './api/index.ts'
import {
  bytes,
  type Clock,
  createServiceGroup,
  createSystemTurns,
  encodeGoJson,
  gibibytes,
  type Logger,
  millis,
  ok,
  type Random,
  type Secret,
  type Service,
  seconds,
  systemClock,
  systemRandom
} from './base/index.ts'
import { type Config, mayBePrivileged, restPlaces, shareableConfig } from './config/index.ts'
import { type KeyValueStore, openStore, withFileLock } from './db/index.ts'
import {
  createJobOutput,
  createKnownRevocations,
  createNode,
  createReplayJournal,
  type HostFacts,
  type LogControl
} from './dms/index.ts'
import { createDockerExecutor } from './executor/docker/index.ts'
import type { Executor } from './executor/index.ts'
import { createEgressFilter, createJobNetwork } from './executor/job-network/index.ts'
import { createMicrovmExecutor } from './executor/microvm/index.ts'
import { createNullExecutor } from './executor/null/index.ts'
import { createOciExecutor } from './executor/oci/index.ts'
import { createWasmExecutor } from './executor/wasm/index.ts'
import { createHardwareProbe, createHostPorts, hostName, readInterfaces } from './hardware/index.ts'
import { createHeapKeeper } from './heap/index.ts'
import { createKeystore, type KeyPair } from './identity/index.ts'
import { createImages, type Images } from './image/index.ts'
import { createNetworkHost, limitsFor, type PeerStorage, rememberedPeersCodec } from './network/index.ts'
import { BUILT_IN_EXECUTORS, loadPlugins, type Plugins, pluginPackages } from './plugins/index.ts'
import { describeApi } from './protocol/index.ts'
import { createOutputStore, createVolumes, type Volumes } from './storage/index.ts'
import { createLocalVolumes, createOutputVolumes } from './storage/local/index.ts'
import { createS3Publisher, createS3Volumes } from './storage/s3/index.ts'
import {
  createCounters,
  createLogger,
  createVitals,
  LOG_LEVELS,
  type Log,
  type LoggerOptions,
  parseLogLevel
} from './telemetry/index.ts'
import { type ContextFile, type ContextWatch, createContextStore, createContextWatch } from './ucan/index.ts'

/** How long frames may be verified before everything else has its turn: commands of the owner wait no longer. */
const TURN_BUDGET = millis(10)

/** What a daemon is started with. */
export interface DaemonOptions {
  readonly config: Config
  /** Of this program. */
  readonly version: string
  /** The file that the configuration came from, for the log. */
  readonly configPath?: string
  /** Name of the key and of the capability context (`nunet run -c`). */
  readonly contextName: string
  readonly passphrase: Secret
  /** What is worth telling about the configuration. */
  readonly warnings: readonly string[]
  /** Gets the log for people, line by line; without it only the log file has it. */
  readonly console?: LoggerOptions['console']
  /** Called once everything works. */
  readonly onReady?: (info: DaemonInfo) => void
  /** Calls back whenever the operating system asks for a reload (SIGHUP, SIGUSR1), with the reason; returns the end. */
  readonly onReloadSignal?: (listener: (cause: string) => void) => () => void
  /** Ends the daemon. */
  readonly signal: AbortSignal
}

/** Who the daemon is and where it can be reached. */
export interface DaemonInfo {
  readonly did: string
  readonly peerId: string
  readonly rest: ApiPlaces
  readonly addresses: readonly string[]
  /** Executors that work here, and why the others do not. */
  readonly executors: readonly string[]
  readonly missingExecutors: ReadonlyMap<string, string>
}

/**
 * Runs a daemon until its signal is aborted.
 *
 * Workloads go on when it ends (ADR 0003); the next start finds them again.
 *
 * @throws what the parts throw when they cannot start: a wrong passphrase, a port in use, a second daemon on the same data.
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const { config, contextName, passphrase } = options
  const { user_dir, work_dir, data_dir } = config.general
  for (const directory of [user_dir, work_dir, data_dir]) await mkdir(directory, { recursive: true, mode: 0o700 })
  const key = await createKeystore({ directory: join(user_dir, 'key') }).open(contextName, passphrase)
  const contexts = createContextStore({ directory: join(user_dir, 'cap'), clock: systemClock })
  const file = await contexts.open(contextName, key)
  await withFileLock(join(data_dir, 'daemon'), () => serve({ ...options, key, file }), { wait: millis(1000) })
}

interface Identity {
  readonly key: KeyPair
  readonly file: ContextFile
}

async function serve(options: DaemonOptions & Identity): Promise<void> {
  const { config, key, file, signal } = options
  const log = createLog(config, key.did, options.console)
  const plugins = await loadConfiguredPlugins(config, log.logger)
  const { service, watch, info } = composeDaemon(options, log, plugins)
  const heap = createHeapKeeper({ clock: systemClock, log: log.logger.child({ logger: 'heap' }) })
  const daemon = createServiceGroup('daemon', [log.service, plugins, heap, service])
  await daemon.start({ signal })
  for (const warning of [...options.warnings, ...file.notices.map(({ message }) => message)]) log.logger.warn(warning)
  log.logger.info('ready', { peerId: key.peerId, config: options.configPath ?? 'defaults' })
  options.onReady?.(info())
  const forget = options.onReloadSignal?.((cause) => {
    watch.reload(cause).catch(() => undefined) // logged by the watch
  })
  try {
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    log.logger.info('stopping; workloads go on')
  } finally {
    forget?.()
    await daemon.stop()
  }
}

function createLog({ observability, general }: Config, did: string, console: LoggerOptions['console']): Log {
  const { level, file, rotation } = observability.logging
  const options: LoggerOptions = {
    level: general.debug ? 'debug' : (parseLogLevel(level) ?? 'info'),
    ...(console === undefined ? {} : { console }),
    did,
    clock: systemClock,
    rotation: { maxSizeMb: rotation.max_size_mb, maxBackups: rotation.max_backups, maxAgeDays: rotation.max_age_days }
  }
  return createLogger(file === '' ? options : { ...options, file })
}

/** Builds every part from the configuration; nothing is acquired before `start`. */
function composeDaemon(
  { config, version, key, file }: DaemonOptions & Identity,
  daemonLog: Log,
  plugins: Plugins
): { readonly service: Service; readonly watch: ContextWatch; readonly info: () => DaemonInfo } {
  const log = daemonLog.logger
  const clock: Clock = systemClock
  const random: Random = systemRandom
  const { general, p2p } = config
  const { context } = file
  const counters = createCounters()
  const store = openStore({ path: join(general.data_dir, 'dms.sqlite'), log: log.child({ logger: 'db' }) })
  const watch = createContextWatch({ file, clock, log: log.child({ logger: 'capabilities' }) })
  const revocations = createKnownRevocations({ store, context, clock, log: log.child({ logger: 'revocations' }) })
  const network = createNetworkHost({
    privateKey: key.exportPrivate(),
    listen: p2p.listen_address,
    bootstrap: p2p.bootstrap_peers,
    announce: p2p.announce_address,
    naming: {
      network: p2p.network,
      dhtPrefix: p2p.dht_prefix,
      rendezvous: p2p.rendezvous,
      advertisements: p2p.advertisement_namespace,
      topicPrefix: p2p.topic_prefix
    },
    limits: limitsFor({ mebibytes: p2p.memory, fileDescriptors: p2p.fd }),
    knownPeers: storePeers(store),
    features: {
      relayService: p2p.relay_service,
      relayLimits: {
        reservations: p2p.relay_reservations,
        duration: seconds(p2p.relay_duration),
        data: bytes(1024 * p2p.relay_data)
      },
      relayUse: p2p.relay_use,
      portMapping: p2p.port_mapping,
      localDiscovery: p2p.local_discovery
    },
    clock,
    random,
    log: log.child({ logger: 'network' })
  })
  const actors = createActorSystem({
    key,
    context,
    transport: network,
    clock,
    random,
    log: log.child({ logger: 'actor' }),
    counters,
    turns: createSystemTurns(TURN_BUDGET),
    journal: createReplayJournal(store)
  })
  const images = createImageStore(config, clock, random, log.child({ logger: 'images' }))
  const node = createNode({
    store,
    actors,
    context,
    contextFile: { update: (change) => file.update(change), reload: () => watch.reload('asked to by a message') },
    revocations,
    key,
    peers: network,
    hardware: createHardwareProbe({ diskPath: general.work_dir, clock }),
    host: factsOf(config, version),
    logs: controlOf(daemonLog),
    executors: createExecutors(config, key.peerId, { clock, log: log.child({ logger: 'executor' }), plugins, images }),
    pluginExecutors: [...plugins.kinds, ...config.plugins.remote_executors],
    artifacts: images,
    volumes: createVolumeStore(config, clock, log.child({ logger: 'volumes' })),
    jobOutput: createJobOutput(join(general.work_dir, 'jobs'), 0o700),
    deploymentOutput: createJobOutput(join(general.work_dir, 'deployments'), 0o755),
    place: { continent: general.host_continent, country: general.host_country, city: general.host_city },
    mayBePrivileged: (did) => mayBePrivileged(config, did),
    portRange: { from: general.port_available_range_from, to: general.port_available_range_to },
    hostPorts: createHostPorts(),
    clock,
    random,
    log,
    counters
  })
  let isStarted = false
  const { tcp, socket, isSocketChosen } = restPlaces(config)
  const api = createApiServer({
    ...(tcp === undefined ? {} : { tcp }),
    ...(socket === undefined ? {} : { socket: { path: socket, isRequired: isSocketChosen } }),
    relay: actors,
    handle: () => (isStarted ? actors.root.handle : undefined),
    events: node.eventStreams,
    openApi: () => encodeGoJson(describeApi()),
    health: async () => ({
      isStarted,
      parts: { database: await answers(store), network: network.addresses().length > 0 },
      hasPeers: network.peers().length > 0,
      executors: [...node.executors.available()]
    }),
    log: log.child({ logger: 'api' })
  })
  // First, so that who waits for the node sees that it starts; and the first to end, before what it speaks to.
  const doorkeeper: Service = {
    name: 'doorkeeper',
    start() {
      isStarted = true
      return Promise.resolve()
    },
    async stop() {
      isStarted = false
      await api.stop()
    }
  }
  return {
    service: createServiceGroup('parts', [api, store, revocations, images, actors, network, node, watch, doorkeeper]),
    watch,
    info: () => ({
      did: key.did,
      peerId: key.peerId,
      rest: api.places(),
      addresses: network.addresses(),
      executors: [...node.executors.available()],
      missingExecutors: node.executors.reasons()
    })
  }
}

/** What the owner may see of this process and its machine. */
function factsOf(config: Config, version: string): HostFacts {
  const shown = shareableConfig(config)
  return { version, hostName, interfaces: readInterfaces, config: () => shown, vitals: createVitals() }
}

function controlOf({ level, setLevel, recent }: Log): LogControl {
  return {
    levels: LOG_LEVELS,
    level,
    setLevel(name) {
      const wanted = parseLogLevel(name)
      if (wanted !== undefined) setLevel(wanted)
      return wanted !== undefined
    },
    recent
  }
}

/** Whether the database can be read. */
async function answers(store: KeyValueStore): Promise<boolean> {
  try {
    await store.collection('health', { decode: ok, encode: (value: unknown) => value }).get('none')
    return true
  } catch {
    return false // it is closed, or its disk is gone; its own log says why
  }
}

/** One record for all, so that damage to it costs only a warning: the next one replaces it. */
function storePeers(store: KeyValueStore): PeerStorage {
  const records = store.collection('known-peers', rememberedPeersCodec)
  return {
    load: async () => (await records.get('all')) ?? [],
    save: (peers) => store.transaction([records.put('all', peers)])
  }
}

/** Their threads run before everything else does, as the node is made of their executors. */
function loadConfiguredPlugins({ general, plugins }: Config, log: Logger): Promise<Plugins> {
  return loadPlugins({
    names: plugins.packages,
    packages: pluginPackages(general.user_dir),
    state: join(general.data_dir, 'plugins'),
    builtIn: BUILT_IN_EXECUTORS,
    environment: process.env,
    clock: systemClock,
    log: log.child({ logger: 'plugins' })
  })
}

/** Named volumes and what is fetched; paths of the machine are given to nobody. Mounts of single jobs lie beside them. */
function createVolumeStore({ general, storage }: Config, clock: Clock, log: Logger): Volumes {
  const directory = join(general.work_dir, 'volumes')
  const quotas = {
    volume: gibibytes(storage.volume_size),
    perOwner: gibibytes(storage.volumes_per_owner),
    total: gibibytes(storage.volumes_total)
  }
  const rules = {
    allowedPrivate: storage.allowed_private_endpoints,
    stallLimit: seconds(storage.stall_timeout),
    timeLimit: seconds(storage.transfer_timeout)
  }
  const publishers = [createS3Publisher({ clock, rules })]
  const outputs = {
    directory: join(directory, 'outputs'),
    limit: gibibytes(storage.outputs_size),
    total: gibibytes(storage.outputs_total)
  }
  return createVolumes({
    providers: [
      createLocalVolumes({ directory: join(directory, 'named'), hostPaths: [], hidden: [], quotas, log }),
      createS3Volumes({ clock, rules }),
      createOutputVolumes({ publishers, limit: outputs.limit, log })
    ],
    publishers,
    directory: join(directory, 'jobs'),
    outputs: createOutputStore(outputs)
  })
}

/** Images and artefacts for the executors that need no container daemon. */
function createImageStore({ general, image }: Config, clock: Clock, random: Random, log: Logger): Images {
  return createImages({
    directory: join(general.work_dir, 'images'),
    rules: { allowedPrivate: image.allowed_private_registries, insecure: image.insecure_registries },
    cacheSize: gibibytes(image.cache_size),
    maxImageSize: gibibytes(image.max_size),
    stallLimit: seconds(image.stall_timeout),
    pullLimit: seconds(image.pull_timeout),
    clock,
    random,
    log
  })
}

/** What the executors are made of, besides the configuration. */
interface ExecutorParts {
  readonly clock: Clock
  readonly log: Logger
  readonly plugins: Plugins
  readonly images: Images
}

function createExecutors(
  { general, job, executor }: Config,
  nodeId: string,
  { clock, log, plugins, images }: ExecutorParts
): ReadonlyMap<string, Executor> {
  const filter = createEgressFilter()
  const network = { egress: job.egress, filter }
  const jobs = createJobNetwork({ nodeId, filter })
  const oci = createOciExecutor({
    directory: join(general.data_dir, 'oci'),
    images,
    network: { egress: job.egress, jobs },
    runtime: executor.oci_runtime,
    clock,
    log
  })
  const machines = join(general.data_dir, 'microvm')
  const microvm = createMicrovmExecutor({
    directory: join(machines, 'workloads'),
    guestDirectory: executor.microvm_guest || join(machines, 'guest'),
    imagesDirectory: executor.microvm_images || join(machines, 'images'),
    acceleration: executor.microvm_acceleration,
    images,
    clock,
    log
  })
  const executors = [
    createDockerExecutor({ nodeId, network, clock, log }),
    oci,
    { ...oci, kind: 'containerd' }, // the reference's name for them
    microvm,
    { ...microvm, kind: 'firecracker' }, // the reference's name for them
    createWasmExecutor({ directory: join(general.data_dir, 'wasm'), clock, log, modules: moduleStore(images) }),
    createNullExecutor({ clock }),
    ...plugins.executors
  ]
  return new Map(executors.map((executor) => [executor.kind, executor]))
}

/** Types under which registries have WebAssembly modules: the present one and those of older tools. */
const MODULE_TYPES = [
  'application/wasm',
  'application/vnd.wasm.content.layer.v1+wasm',
  'application/vnd.module.wasm.content.layer.v1+wasm'
] as const

function moduleStore(images: Images): NonNullable<Parameters<typeof createWasmExecutor>[0]['modules']> {
  return {
    fetch: (reference, options) => images.fetchArtifact(reference, { ...options, mediaTypes: MODULE_TYPES }),
    release: (workloadId) => images.release(workloadId)
  }
}
