import { type AbortOptions, type Clock, type Millis, millis, seconds } from '../../base/index.ts'
import { ExecutorFailedError, ExecutorUnknownHandleError } from '../errors.ts'
import type { WorkloadUsage } from '../executor.ts'
import { CALL_LIMIT, type DockerClient, refusalText } from './client.ts'
import { NODE_LABEL } from './container.ts'
import {
  type ContainerState,
  parseContainerList,
  parseContainerState,
  parseUsage,
  type UsageSample,
  usageBetween
} from './state.ts'

/** The containers of one daemon; those of other nodes are not listed. */
export interface Containers {
  /** By id or name; `undefined` when there is none. */
  inspect(idOrName: string, options?: AbortOptions): Promise<ContainerState | undefined>
  stop(id: string, grace: Millis): Promise<void>
  remove(id: string): Promise<void>
  usage(id: string): Promise<WorkloadUsage>
  list(): Promise<readonly { readonly id: string; readonly allocation: string }[]>
}

const USAGE_SAMPLE = millis(200)
const REMOVAL_POLL = millis(100)
const REMOVAL_LIMIT = seconds(60)

/** Calls about containers that exist. */
export function createContainers(client: DockerClient, nodeId: string, clock: Clock): Containers {
  async function inspect(idOrName: string, options: AbortOptions = {}): Promise<ContainerState | undefined> {
    const answer = await client.call({ method: 'GET', path: `/containers/${idOrName}/json`, ...options })
    if (answer.status === 404) return undefined
    const state = parseContainerState(answer.body)
    if (answer.status === 200 && state !== undefined) return state
    throw new ExecutorFailedError(`cannot inspect container ${idOrName}: ${refusalText(answer)}`)
  }

  async function sample(id: string): Promise<UsageSample | undefined> {
    const query = { stream: 'false', 'one-shot': 'true' }
    const answer = await client.call({ method: 'GET', path: `/containers/${id}/stats`, query })
    if (answer.status === 404) throw new ExecutorUnknownHandleError(`there is no container ${id}`)
    return parseUsage(answer.body)
  }

  async function untilGone(id: string): Promise<void> {
    const deadline = clock.now() + REMOVAL_LIMIT
    while ((await inspect(id)) !== undefined) {
      if (clock.now() > deadline) throw new ExecutorFailedError(`container ${id} is not removed within ${REMOVAL_LIMIT} ms`)
      await clock.sleep(REMOVAL_POLL)
    }
  }

  return {
    inspect,
    async stop(id, grace) {
      const answer = await client.call({
        method: 'POST',
        path: `/containers/${id}/stop`,
        query: { t: String(Math.ceil(grace / 1000)) },
        limit: millis(grace + CALL_LIMIT)
      })
      if ([204, 304, 404].includes(answer.status)) return
      throw new ExecutorFailedError(`cannot stop container ${id}: ${refusalText(answer)}`)
    },
    async remove(id) {
      const answer = await client.call({ method: 'DELETE', path: `/containers/${id}`, query: { force: 'true', v: 'true' } })
      if (answer.status === 204 || answer.status === 404) return
      // 409: another removal of it is under way
      if (answer.status !== 409) throw new ExecutorFailedError(`cannot remove container ${id}: ${refusalText(answer)}`)
      await untilGone(id)
    },
    async usage(id) {
      const first = await sample(id)
      if (first === undefined) return {}
      await clock.sleep(USAGE_SAMPLE)
      const second = await sample(id)
      return second === undefined ? {} : usageBetween(first, second)
    },
    async list() {
      const filters = JSON.stringify({ label: [`${NODE_LABEL}=${nodeId}`] })
      const answer = await client.call({ method: 'GET', path: '/containers/json', query: { all: 'true', filters } })
      if (answer.status !== 200) throw new ExecutorFailedError(`cannot list containers: ${refusalText(answer)}`)
      return parseContainerList(answer.body)
    }
  }
}
