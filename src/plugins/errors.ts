import { DmsError } from '../base/index.ts'

/** A plugin cannot be used: it is missing, others may change it, its version is another one, or it broke a rule. */
export class PluginRefusedError extends DmsError {
  readonly code = 'PLUGINS_REFUSED'
  readonly kind = 'invalid'
}

/** A plugin was loaded and does not work any more: it threw, ended, or does not answer. */
export class PluginFailedError extends DmsError {
  readonly code = 'PLUGINS_FAILED'
  readonly kind = 'unavailable'
}
