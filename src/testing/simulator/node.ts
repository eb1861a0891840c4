import { type Actor, type ActorSystem, createActorSystem, SILENCE } from '../../actor/index.ts'
import { createServiceGroup, errorMessage, type LogFields, type Logger, millis, type Service } from '../../base/index.ts'
import { createKnownRevocations, createNode, createReplayJournal } from '../../dms/index.ts'
import { generateKeyPair, type KeyPair } from '../../identity/index.ts'
import { createCounters } from '../../telemetry/index.ts'
import { type ContextFile, createContextStore } from '../../ucan/index.ts'
import { CLUSTER_HOST, createMemoryLogs, NO_ARTIFACTS } from '../host.ts'
import { createDisk, mountDisk } from './disk.ts'
import { createWorkloadHost, mountExecutor, SIMULATED_PORTS, simulatedHardware, simulatedHostPorts } from './machine.ts'
import type { SimulatedNetwork } from './network.ts'
import type { Observer } from './observer.ts'
import { createProcess, createProcessClock, machineNow, type SimulatedProcess } from './process.ts'
import type { Running, SimulatedNode } from './simulated-node.ts'
import type { World } from './world.ts'
import type { WorldVerifier } from './world-verifier.ts'

/** What a {@link SimulatedNode} is made of. */
export interface SimulatedNodeOptions {
  readonly name: string
  readonly world: World
  readonly network: SimulatedNetwork
  readonly observer: Required<Observer>
  readonly neighbours: readonly string[]
  readonly verifier: WorldVerifier
  /** Called with the result of each message that a program refused or took. */
  readonly onCount: (name: string) => void
}

/** The name of the capability context of a node, and where it lies. */
const CONTEXT = 'dms'
const CONTEXT_DIRECTORY = '/cap'

/** Creates a node whose machine is switched on and whose program does not run. */
export function createSimulatedNode(options: SimulatedNodeOptions): SimulatedNode {
  const { name, world, network, observer, verifier } = options
  const chance = world.chance.fork(name)
  const key = withPlainSeal(verifier.witness(generateKeyPair(chance)))
  network.add(key.peerId, options.neighbours)

  const self: SimulatedNode = {
    name,
    key,
    user: verifier.witness(generateKeyPair(chance)),
    disk: createDisk(),
    workloads: createWorkloadHost(),
    time: { offset: 0, drift: 0, setAt: world.now() },
    chance,
    running: undefined,
    isGone: false,
    crashPoint: undefined,
    now: () => machineNow(world, self.time),
    start: () => startProgram(self, options),
    kill(reason) {
      const { running } = self
      if (running === undefined) return
      running.process.kill()
      self.running = undefined
      network.detach(key.peerId)
      world.note(name, `killed: ${reason}`)
      observer.stopped(self)
    }
  }
  return self
}

async function startProgram(self: SimulatedNode, options: SimulatedNodeOptions): Promise<void> {
  const { world, observer } = options
  if (self.running !== undefined || self.isGone) return
  const process = createProcess(world)
  try {
    await process.guard(async () => {
      const { running, service } = await compose(self, process, options)
      await service.start()
      running.isReady = true
      world.note(self.name, 'serves')
      observer.started(self)
    })
  } catch (error) {
    world.note(self.name, `cannot start: ${errorMessage(error)}`)
    process.kill()
    if (isRunning(self)) self.kill('the start failed')
    else observer.stopped(self)
  }
}

function isRunning({ running }: SimulatedNode): boolean {
  return running !== undefined
}

async function compose(
  self: SimulatedNode,
  process: SimulatedProcess,
  { name, world, network, observer, verifier, onCount }: SimulatedNodeOptions
): Promise<{ readonly running: Running; readonly service: Service }> {
  const { key } = self
  const random = self.chance
  const clock = createProcessClock(world, process, self.time)
  const disk = mountDisk(world, self.disk, process, {
    crashPoint() {
      const point = self.crashPoint
      self.crashPoint = undefined
      return point
    },
    crash: () => self.kill('at a write'),
    committed: (changes) => observer.committed(self, changes),
    fileWritten: (_path, text) => observer.contextSaved(self, text)
  })
  const contexts = createContextStore({ directory: CONTEXT_DIRECTORY, clock, random, verifier, files: disk.contextFiles })
  const contextFile = await contexts.open(CONTEXT, key)
  const { context } = contextFile
  const log = createObservedLog((level, message, fields) => observer.logged(self, level, message, fields))
  const counts = createCounters()
  const counters = {
    ...counts,
    increment(counted: string, by?: number) {
      counts.increment(counted, by)
      onCount(counted)
    }
  }
  const host = network.attach(key.peerId, process)
  const executor = mountExecutor(world, self.workloads, process, {
    starting: (id, isNewRun) => observer.runStarting(self, id, isNewRun),
    stopping: (handle) => observer.runStopping(self, handle),
    removing: (handle) => observer.runRemoving(self, handle)
  })
  const shared = { context, clock, random, log, counters, verifier }
  const revocations = createKnownRevocations({ store: disk.store, ...shared })
  const actors = createActorSystem({ key, transport: host, journal: createReplayJournal(disk.store), ...shared })
  const node = createNode({
    store: disk.store,
    actors: observeActors(actors, self, observer),
    key,
    peers: host,
    hardware: simulatedHardware,
    host: CLUSTER_HOST,
    logs: createMemoryLogs(clock),
    artifacts: NO_ARTIFACTS,
    executors: new Map([['null', executor]]),
    jobOutput: disk.jobOutput,
    deploymentOutput: disk.deploymentOutput,
    place: { continent: '', country: '', city: '' },
    mayBePrivileged: () => false,
    portRange: SIMULATED_PORTS,
    hostPorts: simulatedHostPorts,
    contextFile,
    revocations,
    ...shared
  })
  const running: Running = { process, actors, node, contextFile, isReady: false }
  self.running = running
  world.note(name, 'starts')
  // As in daemon.ts.
  return { running, service: createServiceGroup('simulated node', [disk.store, revocations, actors, host, node]) }
}

/** Makes the capability context of a node before its first start, as `nunet setup` does. */
export async function createNodeContext(world: World, node: SimulatedNode, verifier: WorldVerifier): Promise<ContextFile> {
  const files = mountDisk(world, node.disk, createProcess(world), {
    crashPoint: () => undefined,
    crash: () => undefined,
    committed: () => undefined,
    fileWritten: () => undefined
  }).contextFiles
  const clock = { now: () => millis(node.now()), sleep: (duration: number) => world.sleep(duration) }
  const contexts = createContextStore({
    directory: CONTEXT_DIRECTORY,
    clock,
    random: node.chance.fork('context'),
    verifier,
    files
  })
  return contexts.create(CONTEXT, node.key)
}

/** Shows every run of a handler to the observer, before it begins and after it has ended. */
function observeActors(actors: ActorSystem, node: SimulatedNode, observer: Required<Observer>): ActorSystem {
  const observed = (actor: Actor): Actor => ({
    ...actor,
    on: (behavior, handler) =>
      actor.on(behavior, async (request, envelope, options) => {
        const run = { node, actor: actor.handle, behavior: behavior.name, request, envelope }
        observer.handlerStarts(run)
        try {
          const reply = await handler(request, envelope, options)
          observer.handlerEnds(run, { reply: reply === SILENCE ? undefined : reply })
          return reply
        } catch (error) {
          observer.handlerEnds(run, { error })
          throw error
        }
      })
  })
  return { ...actors, root: observed(actors.root), spawn: (inbox, options) => observed(actors.spawn(inbox, options)) }
}

/** A log that keeps nothing but shows warnings and errors. */
function createObservedLog(show: (level: 'warn' | 'error', message: string, fields: LogFields) => void): Logger {
  const ignore = (): void => undefined
  const log: Logger = {
    child: () => log,
    debug: ignore,
    info: ignore,
    warn: (message, fields = {}) => show('warn', message, fields),
    error: (message, fields = {}) => show('error', message, fields)
  }
  return log
}

/**
 * The same key with a seal that is none: a real one draws its nonces from the operating system, whatever the seed. What is sealed in
 * a simulated world is worth nothing.
 */
function withPlainSeal(key: KeyPair): KeyPair {
  return { ...key, seal: (data) => Uint8Array.from(data), unseal: (sealed) => Uint8Array.from(sealed) }
}
