/**
 * executor/job-network: what jobs reach, kept by the kernel's firewall.
 *
 * Imports: base, executor.
 * State: none; the rules are in the kernel, in a table of their own.
 */
export { createEgressFilter, type EgressFilterOptions } from './egress-filter.ts'
