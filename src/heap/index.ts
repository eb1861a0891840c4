/**
 * heap: keeps the memory of a daemon that runs for months near what it needs.
 *
 * Imports: base.
 * State: none; settings of the process.
 */
export { createHeapKeeper, type HeapKeeperOptions } from './keeper.ts'
