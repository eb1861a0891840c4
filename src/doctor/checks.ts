import { configuration } from './checks/configuration.ts'
import { daemon } from './checks/daemon.ts'
import { devices } from './checks/devices.ts'
import { directories } from './checks/directories.ts'
import { executors } from './checks/executors.ts'
import { hardware } from './checks/hardware.ts'
import { identities } from './checks/identities.ts'
import { limits } from './checks/limits.ts'
import { platform } from './checks/platform.ts'
import { ports } from './checks/ports.ts'
import { service } from './checks/service.ts'
import { time } from './checks/time.ts'
import type { Check } from './types.ts'

/** All checks, in the order in which they are told. */
export const CHECKS: readonly Check[] = [
  configuration,
  hardware,
  platform,
  executors,
  devices,
  time,
  directories,
  identities,
  ports,
  daemon,
  service,
  limits
]
