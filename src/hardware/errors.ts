import { DmsError } from '../base/index.ts'

/** The kernel does not say what this machine has: no `/proc`, or none that can be understood. */
export class HardwareUnreadableError extends DmsError {
  readonly code = 'HARDWARE_UNREADABLE'
  readonly kind = 'unavailable'
}
