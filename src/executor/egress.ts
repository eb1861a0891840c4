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

/** The addresses of one job, on a link of its own with this machine. */
export interface JobAddress {
  /** Of the job, as `198.19.0.2`. */
  readonly address: string
  /** Of this machine on that link. */
  readonly gateway: string
  readonly prefix: number
  /** What the interface of this machine on that link is to be called; begins with {@link JOB_INTERFACE_PREFIX}. */
  readonly hostInterface: string
}

/** Networks of jobs whose executor makes their interfaces itself. */
export interface JobNetwork {
  /**
   * Addresses for a job, the same at each call until they are released, with the filter and the translation of addresses in force;
   * the error says why jobs have no network here.
   */
  lease(workloadId: string, options?: AbortOptions): Promise<Result<JobAddress, string>>
  /** Idempotent. */
  release(workloadId: string): Promise<void>
  /** Where jobs ask for names. */
  resolvers(): Promise<readonly string[]>
}
