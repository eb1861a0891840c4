import { type Clock, DmsError, err, isJsonObject, type Logger, type Millis, minutes } from '../../base/index.ts'
import { ExecutorUnknownHandleError } from '../errors.ts'
import type { Executor, Probe, RunHandle } from '../executor.ts'
import { idOfHandle, toHandle } from '../handle.ts'
import { createAttachment, type NetworkPolicy } from './attachment.ts'
import { createDockerClient, type DockerClient } from './client.ts'
import { runInside } from './command.ts'
import { createContainers } from './containers.ts'
import { createJobNetworks } from './networks.ts'
import { readLogs, waitForEnd } from './observe.ts'
import { defaultDockerSocket } from './socket.ts'
import { DOCKER_FEATURES, parseDockerSpec } from './spec.ts'
import { startContainer } from './start.ts'

/** Options of {@link createDockerExecutor}. */
export interface DockerExecutorOptions {
  /** Default: that of `DOCKER_HOST`, or `/var/run/docker.sock`. */
  readonly socketPath?: string
  /** The node's peer id: nodes that share a daemon see and touch only their own containers. Of letters, digits, `_`, `.` and `-`. */
  readonly nodeId: string
  /** What jobs may reach on the network; without it nothing. */
  readonly network?: NetworkPolicy
  readonly clock: Clock
  readonly log: Logger
  /** For the pull of one image; default 30 minutes. */
  readonly pullLimit?: Millis
  /** A pull of which nothing comes for so long is begun anew, within `pullLimit`; default two minutes. */
  readonly pullStallLimit?: Millis
}

const NO_NETWORK: NetworkPolicy = { egress: 'none', filter: { ensure: () => Promise.resolve(err('jobs get no network')) } }
const CONTAINER_ID = /^[0-9a-f]{64}$/

/**
 * Runs containers through a Docker daemon with API 1.41 or newer.
 *
 * A container has a name of the workload's id and the node's, hard limits for memory, CPU and processes, few capabilities, no way to gain
 * more (unless `privileged` is both asked for and allowed), and bounded logs. It goes on when this process ends.
 * The disk limit is kept where Docker's storage driver can (see {@link containerConfig}); a warning says once when it cannot.
 */
export function createDockerExecutor(options: DockerExecutorOptions): Executor {
  const { nodeId, clock, log, pullLimit = minutes(30), pullStallLimit = minutes(2) } = options
  const client = createDockerClient(() => options.socketPath ?? defaultDockerSocket(process.env), clock)
  const containers = createContainers(client, nodeId, clock)
  const attachment = createAttachment(options.network ?? NO_NETWORK, createJobNetworks(client, nodeId), log)
  const starting = new Set<string>()
  const disk = { isLimited: true }

  function knownId(handle: RunHandle): string {
    const id = containerId(handle)
    if (id === undefined) throw new ExecutorUnknownHandleError(`there is no container ${handle}`)
    return id
  }

  return {
    kind: 'docker',
    features: DOCKER_FEATURES,
    async probe(abort) {
      const probe = await probeDocker(client, abort?.signal)
      const obstacle = probe.available ? await attachment.obstacle() : undefined
      if (!probe.available || obstacle === undefined) return probe
      return { available: true, version: `${probe.version}; jobs have no network: ${obstacle}` }
    },
    check(workload) {
      parseDockerSpec(workload)
    },
    async start(workload, { onProgress, ...abort } = {}) {
      const progress = onProgress === undefined ? {} : { onProgress }
      const pull = { limit: pullLimit, stallLimit: pullStallLimit, ...progress }
      starting.add(workload.id)
      try {
        const context = { client, containers, attachment, nodeId, clock, log, pull, disk }
        return toHandle('docker', await startContainer(context, workload, abort))
      } finally {
        starting.delete(workload.id)
      }
    },
    async recover(handle) {
      const id = containerId(handle)
      return id !== undefined && (await containers.inspect(id)) !== undefined
    },
    async wait(handle, abort = {}) {
      const id = containerId(handle)
      if (id === undefined) return { type: 'lost', reason: `${handle} is not the handle of a container` }
      return waitForEnd({ client, containers, clock, log }, id, abort)
    },
    async stop(handle, grace) {
      const id = containerId(handle)
      if (id !== undefined) await containers.stop(id, grace)
    },
    async remove(handle) {
      const id = containerId(handle)
      const container = id === undefined ? undefined : await containers.inspect(id)
      if (container === undefined) return
      await containers.remove(container.id)
      if (container.node === nodeId) await attachment.release(container.allocation)
    },
    async *logs(handle, { follow = false, ...abort } = {}) {
      yield* readLogs({ client, containers, clock, log }, knownId(handle), follow, abort)
    },
    usage: async (handle) => containers.usage(knownId(handle)),
    exec: (handle, command, execution) => runInside(client, knownId(handle), command, execution),
    async list() {
      const found = await containers.list()
      await attachment.sweep(new Set([...starting, ...found.map(({ allocation }) => allocation)]))
      return found.map(({ id, allocation }) => ({ id: allocation, handle: toHandle('docker', id) }))
    }
  }
}

/** Nothing else gets into a path of the API. */
function containerId(handle: RunHandle): string | undefined {
  const id = idOfHandle('docker', handle)
  return id !== undefined && CONTAINER_ID.test(id) ? id : undefined
}

async function probeDocker(client: DockerClient, signal: AbortSignal | undefined): Promise<Probe> {
  const abort = signal === undefined ? {} : { signal }
  try {
    const api = await client.version(abort)
    const { status, body } = await client.call({ method: 'GET', path: '/version', ...abort })
    const { Os: system, Version: version } = isJsonObject(body) ? body : {}
    if (status !== 200 || typeof version !== 'string') return { available: false, reason: `Docker answers with status ${status}` }
    if (system !== 'linux') return { available: false, reason: `Docker runs ${JSON.stringify(system)} containers, not linux` }
    return { available: true, version: `${version}, API ${api}` }
  } catch (error) {
    if (error instanceof DmsError && error.kind !== 'cancelled') return { available: false, reason: error.message }
    throw error
  }
}
