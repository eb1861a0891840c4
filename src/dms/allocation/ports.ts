import type { WorkloadPort } from '../../executor/index.ts'
import type { PortLease } from '../resources/index.ts'

/** Public ports are reached at every address of this machine. */
const EVERY_ADDRESS = '0.0.0.0'

/** Each public port leads inside by TCP and by UDP: an ensemble does not say which of them a workload speaks. */
export function workloadPorts(leases: readonly PortLease[]): readonly WorkloadPort[] {
  return leases.flatMap((lease) =>
    (['tcp', 'udp'] as const).map((protocol) => ({
      protocol,
      hostAddress: EVERY_ADDRESS,
      hostPort: lease.public,
      port: lease.private
    }))
  )
}
