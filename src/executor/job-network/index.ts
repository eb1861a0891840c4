/**
 * executor/job-network: what jobs reach, kept by the kernel's firewall.
 *
 * Imports: base, executor.
 * State: the rules in the kernel, in a table of their own; who has which addresses, below /run, until the machine restarts.
 */
export { createEgressFilter, type EgressFilterOptions } from './egress-filter.ts'
export { createJobNetwork, type JobNetworkOptions } from './job-network.ts'
