import type { Config } from '../config/index.ts'
import type { Signer } from '../identity/index.ts'
import type { Io } from './io.ts'
import { keystoreOf, unlockKey } from './keys.ts'

/**
 * What signs in the name of a context: the key of that name, opened with its passphrase.
 *
 * Commands ask here and not at the key store, so that they need not know where a key lives.
 *
 * @throws KeyNotFoundError, and what `unlockKey` throws.
 */
export async function openSigner(name: string, config: Config, io: Io): Promise<Signer> {
  return await unlockKey(keystoreOf(config, io), name, io)
}
