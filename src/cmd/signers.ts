import type { Config } from '../config/index.ts'
import type { Signer } from '../identity/index.ts'
import { agentOf } from './agents.ts'
import type { Io } from './io.ts'

/**
 * What signs in the name of a context: the key of that name, in the unlock agent or opened with its passphrase.
 *
 * Commands ask here and not at the key store, so that they need not know where a key lives.
 *
 * @throws KeyNotFoundError, and what `unlockKey` throws.
 */
export async function openSigner(name: string, config: Config, io: Io): Promise<Signer> {
  const agent = await agentOf(config, io)
  const unlocked = await agent?.find(name)
  if (unlocked !== undefined) return unlocked
  const { keystoreOf, unlockKey } = await import('./keys.ts')
  return await unlockKey(keystoreOf(config, io), name, io)
}
