import { type Agent, findAgent, type KeyToUnlock, type UnlockedKey } from '../agent/index.ts'
import { seconds, withTimeout } from '../base/index.ts'
import type { Config } from '../config/index.ts'
import { NotStartedError } from './errors.ts'
import type { Io } from './io.ts'

/** Longer than an agent waits for the lock of its socket. */
const START_TIME = seconds(15)

/** An agent may end just before a key reaches it; then another one is started. */
const TRIES = 3

/** The agent of the user directory, if one may be there. */
export async function agentOf(config: Config, { clock, environment }: Io): Promise<Agent | undefined> {
  return await findAgent({ userDir: config.general.user_dir, environment, uid: process.geteuid?.() }, clock)
}

/**
 * Hands a key to the agent of the user directory, which is started when there is none.
 *
 * @throws NotStartedError, AgentFailedError, AgentRefusedError.
 */
export async function handToAgent(key: KeyToUnlock, config: Config, io: Io): Promise<UnlockedKey> {
  let failure: unknown
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const agent = await agentOf(config, io)
    const unlocked = await agent?.unlock(key)
    if (unlocked !== undefined) return unlocked
    try {
      await withTimeout(io.clock, START_TIME, 'its start', () =>
        io.startDetached(['agent', '--user-dir', config.general.user_dir])
      )
    } catch (error) {
      failure = error // another command may have started one meanwhile: the next attempt finds it
    }
  }
  throw failure instanceof Error
    ? new NotStartedError(`the unlock agent did not start: ${failure.message}`, { cause: failure })
    : new NotStartedError('the unlock agent started and cannot be found: is its runtime directory the same?')
}

/** Makes the agent forget a key whose file was changed or removed. It would not use it any more, but need not keep it. */
export async function lockAtAgent(name: string, config: Config, io: Io): Promise<void> {
  const agent = await agentOf(config, io)
  // an agent that cannot be reached compares the file before each use
  await agent?.lock(name).catch(() => undefined)
}
