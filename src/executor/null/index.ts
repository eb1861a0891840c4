/**
 * executor/null: the driver that runs nothing, for tests and for `executor: null`.
 *
 * Imports: base, executor.
 * State: the workloads, in memory, in the {@link NullMachine}.
 */
export { createNullExecutor, createNullMachine, type NullExecutorOptions, type NullMachine } from './null-executor.ts'
