/**
 * The ensemble file: what people write, what nodes send each other, and the rules that both obey (C §7).
 *
 * `parse.ts` alone loads the YAML library; decoding and checking do without it.
 */
export type { ReadFile } from './files.ts'
export {
  type AccessKey,
  type ContainerdParams,
  type ContractReference,
  type DockerParams,
  type EnsembleAllocation,
  type EnsembleConfig,
  type EnsembleEdge,
  type EnsembleIssue,
  type EnsembleNode,
  type Execution,
  type ExecutionView,
  type FirecrackerParams,
  type GpuNeed,
  type HealthCheck,
  type LocationRule,
  MAX_ENSEMBLE_TEXT,
  MAX_ENSEMBLE_WIRE,
  MAX_NAMED,
  MAX_WASM_MODULE,
  type MicrovmParams,
  type ObjectStore,
  type Outputs,
  type PortRequest,
  type ResourceNeed,
  type SupervisorTree,
  type Volume,
  type WasmParams
} from './model.ts'
export { type EnsembleResult, type ParseEnsembleOptions, parseEnsemble } from './parse.ts'
export { renderEnsembleReference } from './reference.ts'
export { checkActedOn, checkSupported, type SupportOptions } from './supported.ts'
export { type DecodeOptions, decodeEnsemble, encodeEnsemble, viewExecution } from './wire.ts'
