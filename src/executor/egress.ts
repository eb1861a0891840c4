import type { AbortOptions, Result } from '../base/index.ts'

/** What jobs may reach: the public Internet, nothing, or all that this machine reaches (its owner's choice, `job.egress`). */
export type Egress = 'public' | 'none' | 'all'

/** Interfaces whose name begins so belong to jobs; what comes from them is filtered. */
export const JOB_INTERFACE_PREFIX = 'nunet'

/**
 * Keeps jobs from the networks of this machine: its own addresses, private and special ones, its neighbours, other jobs.
 *
 * Applies to whatever comes from an interface that begins with {@link JOB_INTERFACE_PREFIX}.
 */
export interface EgressFilter {
  /**
   * Sees to it that the filter is in force, whatever happened to the firewall meanwhile; the error says why it cannot be.
   * A job gets an interface only after this.
   */
  ensure(options?: AbortOptions): Promise<Result<true, string>>
}
