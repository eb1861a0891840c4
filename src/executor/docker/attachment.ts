import { type AbortOptions, errorMessage, type Logger } from '../../base/index.ts'
import type { Egress, EgressFilter } from '../egress.ts'
import { ExecutorUnavailableError, ExecutorUnsupportedError } from '../errors.ts'
import type { Workload } from '../executor.ts'
import type { JobNetworks } from './networks.ts'

/** What jobs may reach, and what keeps them to it. */
export interface NetworkPolicy {
  readonly egress: Egress
  readonly filter: EgressFilter
}

/** How containers get their network. */
export interface Attachment {
  /**
   * The `NetworkMode` of the container: a network of its own that the filter guards, Docker's bridge where the owner gives jobs
   * all, else `none`.
   *
   * @throws ExecutorUnsupportedError, ExecutorUnavailableError for ports without a network.
   */
  attach(workload: Workload, options: AbortOptions): Promise<string>
  /** Why jobs have no network although they are to have one; `undefined` when they have, or are to have none. */
  obstacle(): Promise<string | undefined>
  release(allocation: string): Promise<void>
  /** Removes networks of this node whose job is none of these. */
  sweep(kept: ReadonlySet<string>): Promise<void>
}

/** Joins containers to networks by the owner's policy. Where the filter is not in force, a job gets no network. */
export function createAttachment({ egress, filter }: NetworkPolicy, networks: JobNetworks, log: Logger): Attachment {
  async function guarded(workload: Workload, options: AbortOptions): Promise<string> {
    const filtered = await filter.ensure(options)
    if (!filtered.ok) return without(workload, filtered.error)
    const network = await networks.ensure(workload.id, options)
    if (await networks.isHere(workload.id, options)) return network
    await networks.remove(workload.id)
    return without(workload, 'the networks of this Docker are not those of this machine, so that its firewall does not see them')
  }

  function without({ id, ports }: Workload, reason: string): string {
    if (ports.length > 0) throw new ExecutorUnavailableError(`there are no ports here: ${reason}`)
    log.warn('a job gets no network', { allocationID: id, reason })
    return 'none'
  }

  return {
    async attach(workload, options) {
      if (egress === 'all') return 'bridge'
      if (egress === 'public') return await guarded(workload, options)
      if (workload.ports.length === 0) return 'none'
      throw new ExecutorUnsupportedError('the owner of this machine gives jobs no network, so there are no ports')
    },
    async obstacle() {
      if (egress !== 'public') return undefined
      const filtered = await filter.ensure()
      return filtered.ok ? undefined : filtered.error
    },
    release: async (allocation) => await networks.remove(allocation),
    async sweep(kept) {
      for (const allocation of await networks.list()) {
        if (kept.has(allocation)) continue
        await networks.remove(allocation).catch((error: unknown) => {
          log.warn('the network of a job that is gone stays', { allocationID: allocation, error: errorMessage(error) })
        })
      }
    }
  }
}
