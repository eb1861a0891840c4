import { createHash } from 'node:crypto'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type AbortOptions, isJsonObject } from '../../base/index.ts'
import { JOB_INTERFACE_PREFIX } from '../egress.ts'
import { ExecutorFailedError, ExecutorStartFailedError } from '../errors.ts'
import { type DockerAnswer, type DockerClient, refusalText } from './client.ts'
import { ALLOCATION_LABEL, NODE_LABEL } from './container.ts'

/**
 * Half of the block for benchmarks (RFC 2544), which real networks do not use: each job gets 8 addresses of it. Docker's own
 * pools have room for some thirty networks only.
 */
const FIRST_ADDRESS = (198 << 24) | (18 << 16)
const SUBNETS = 8192
/** So many are tried until one is free. */
const MOST_TRIES = 512
const BRIDGE_OPTION = 'com.docker.network.bridge.name'
const BRIDGE = new RegExp(`^${JOB_INTERFACE_PREFIX}d[0-9a-f]{4}$`)

/** Networks with one container each: jobs share no wire, on which they could pretend to be each other. */
export interface JobNetworks {
  /** The name of the network of an allocation, made when there is none. */
  ensure(allocation: string, options?: AbortOptions): Promise<string>
  /** Whether the network of an allocation has its bridge on this machine; that of a Docker in another namespace has not. */
  isHere(allocation: string, options?: AbortOptions): Promise<boolean>
  /** Idempotent; a network that is still used by a container is an error. */
  remove(allocation: string): Promise<void>
  /** Allocations that have a network, those of other nodes not among them. */
  list(): Promise<readonly string[]>
}

/** The name by which an allocation of a node finds its network again. */
export function networkName(nodeId: string, allocation: string): string {
  return `nunet-${createHash('sha256').update(`${nodeId}\n${allocation}`).digest('hex').slice(0, 24)}`
}

/** What `POST /networks/create` takes for the network of a job in the subnet of that number. */
export function networkConfig(nodeId: string, allocation: string, subnet: number): Readonly<Record<string, unknown>> {
  const first = FIRST_ADDRESS + subnet * 8
  return {
    Name: networkName(nodeId, allocation),
    Driver: 'bridge',
    CheckDuplicate: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Config: [{ Subnet: `${dotted(first)}/29`, Gateway: dotted(first + 1) }] },
    Options: { [BRIDGE_OPTION]: `${JOB_INTERFACE_PREFIX}d${subnet.toString(16).padStart(4, '0')}` },
    Labels: { [NODE_LABEL]: nodeId, [ALLOCATION_LABEL]: allocation }
  }
}

/** The networks of the jobs of one node at a Docker daemon. */
export function createJobNetworks(client: DockerClient, nodeId: string): JobNetworks {
  /** The name of its bridge; `undefined` when there is no such network. */
  async function find(name: string, options: AbortOptions): Promise<string | undefined> {
    const answer = await client.call({ method: 'GET', path: `/networks/${name}`, ...options })
    if (answer.status === 404) return undefined
    const { Labels: labels, Options: settings } = isJsonObject(answer.body) ? answer.body : {}
    if (answer.status !== 200) throw new ExecutorFailedError(`cannot inspect network ${name}: ${refusalText(answer)}`)
    const bridge = isJsonObject(settings) ? settings[BRIDGE_OPTION] : undefined
    if (isJsonObject(labels) && labels[NODE_LABEL] === nodeId && typeof bridge === 'string') return bridge
    throw new ExecutorStartFailedError(`the network ${name} is not this node's`)
  }

  async function create(allocation: string, options: AbortOptions): Promise<void> {
    const start = Number.parseInt(networkName(nodeId, allocation).slice(6, 14), 16)
    let answer: DockerAnswer | undefined
    for (let attempt = 0; attempt < MOST_TRIES; attempt += 1) {
      const body = networkConfig(nodeId, allocation, (start + attempt) % SUBNETS)
      answer = await client.call({ method: 'POST', path: '/networks/create', body, ...options })
      if (answer.status === 201 || answer.status === 409) return
      if (!isTaken(answer)) break
    }
    const why = answer === undefined ? 'no subnet is free' : refusalText(answer)
    throw new ExecutorStartFailedError(`Docker does not create the network of ${allocation}: ${why}`)
  }

  return {
    async ensure(allocation, options = {}) {
      const name = networkName(nodeId, allocation)
      if ((await find(name, options)) === undefined) await create(allocation, options)
      return name
    },
    async isHere(allocation, options = {}) {
      const bridge = await find(networkName(nodeId, allocation), options)
      return bridge !== undefined && BRIDGE.test(bridge) && (await exists(join('/sys/class/net', bridge)))
    },
    async remove(allocation) {
      const answer = await client.call({ method: 'DELETE', path: `/networks/${networkName(nodeId, allocation)}` })
      if (answer.status === 204 || answer.status === 404) return
      throw new ExecutorFailedError(`cannot remove the network of ${allocation}: ${refusalText(answer)}`)
    },
    async list() {
      const filters = JSON.stringify({ label: [`${NODE_LABEL}=${nodeId}`] })
      const answer = await client.call({ method: 'GET', path: '/networks', query: { filters } })
      if (answer.status !== 200) throw new ExecutorFailedError(`cannot list networks: ${refusalText(answer)}`)
      return allocationsOf(answer.body)
    }
  }
}

/** Another network has these addresses, or a bridge of this name. */
function isTaken(answer: DockerAnswer): boolean {
  return answer.status !== 201 && /overlap|already|conflict|in use|same bridge name/i.test(refusalText(answer))
}

function allocationsOf(body: unknown): readonly string[] {
  if (!Array.isArray(body)) return []
  return body.flatMap((network: unknown) => {
    const labels = isJsonObject(network) ? network['Labels'] : undefined
    const allocation = isJsonObject(labels) ? labels[ALLOCATION_LABEL] : undefined
    return typeof allocation === 'string' ? [allocation] : []
  })
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false
  )
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}
