/**
 * agent: unlocked keys that sign for the next commands, in the memory of a process of their own.
 *
 * Imports: base, db, identity.
 * State: the agent's process holds keys, each for its time; its socket lies in the runtime directory of the user.
 */
export type { Agent } from './client.ts'
export { digestOf } from './digest.ts'
export {
  AgentFailedError,
  AgentRefusedError,
  AgentRunningError,
  KeyLockedError,
  UnsafeRuntimeDirectoryError
} from './errors.ts'
export { findAgent } from './find.ts'
export { type KeyToUnlock, MAX_LIFETIME, type UnlockedKey } from './messages.ts'
export type { AgentPlaces } from './place.ts'
export { type RunAgentOptions, runAgent } from './serve.ts'
