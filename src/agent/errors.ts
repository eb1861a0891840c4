import { DmsError } from '../base/index.ts'

/** The directory of the agent's socket is not private to this user, or cannot be made so. */
export class UnsafeRuntimeDirectoryError extends DmsError {
  readonly code = 'AGENT_UNSAFE_DIRECTORY'
  readonly kind = 'forbidden'
}

/** There is an agent for this user directory already. */
export class AgentRunningError extends DmsError {
  readonly code = 'AGENT_RUNNING'
  readonly kind = 'conflict'
}

/** The agent does not answer, or answers what is no answer. */
export class AgentFailedError extends DmsError {
  readonly code = 'AGENT_FAILED'
  readonly kind = 'unavailable'
}

/** The agent does not hold this key: never unlocked, locked again, its time is over, or its file was changed. */
export class KeyLockedError extends DmsError {
  readonly code = 'AGENT_KEY_LOCKED'
  readonly kind = 'unauthenticated'
}

/** The agent does not do what it was asked: a message it cannot read, another version, or too many keys. */
export class AgentRefusedError extends DmsError {
  readonly code = 'AGENT_REFUSED'
  readonly kind = 'invalid'
}
