/**
 * executor/wasm: runs WASI modules, each in a process of its own that outlives the daemon.
 *
 * Imports: base, executor.
 * State: one record per workload in the executor's directory; everything else below the workload's own directory.
 */
export { createWasmExecutor, DEFAULT_WASM_LIMITS, type WasmExecutorLimits, type WasmExecutorOptions } from './wasm-executor.ts'
