/**
 * doctor: looks at a machine and its configuration, says how things stand and what to do; changes nothing.
 *
 * Imports: base, config, identity, ucan, hardware, executor.
 * State: none.
 */
export { CHECKS } from './checks.ts'
export { type ContextSummary, endOf, summarizeContext } from './context-summary.ts'
export { examine } from './examine.ts'
export { createLocalSystem } from './local-system.ts'
export type {
  Check,
  CheckReport,
  ConfigTrouble,
  DockerAnswer,
  ExecutorInspector,
  Finding,
  Subject,
  System,
  Verdict
} from './types.ts'
