import { join } from 'node:path'
import type { Config } from '../config/index.ts'
import type { Signer } from '../identity/index.ts'
import { type ContextFile, ContextNotFoundError, type ContextStore, createContextStore } from '../ucan/index.ts'
import type { Flags } from './command.ts'
import type { Io } from './io.ts'
import { note } from './output.ts'
import { loadSettings } from './settings.ts'
import { contextSourceOf } from './signers.ts'

/** The capability contexts of the user directory. */
export function contextsOf(config: Config, { clock, random }: Io): ContextStore {
  return createContextStore({ directory: join(config.general.user_dir, 'cap'), clock, random })
}

/**
 * Opens the context that `--context` names with the key of the same name, or with the wallet that the name means; what was set aside
 * in it is told on stderr.
 *
 * @throws KeyNotFoundError, ContextNotFoundError naming the command that creates it; passphrases are asked for after that.
 */
export async function openContext(flags: Flags, io: Io): Promise<ContextFile> {
  const { config } = await loadSettings(flags, io)
  const name = flags.text('context') ?? ''
  const contexts = contextsOf(config, io)
  const { fileName, openSigner } = await contextSourceOf(name, config, io)
  if (!(await contexts.exists(fileName))) {
    throw new ContextNotFoundError(`there is no capability context ${name}; create it with: nunet cap new ${name}`)
  }
  return await openContextFile(contexts, fileName, await openSigner(), io)
}

/** Opens a context with its key; what was set aside in it is told on stderr. */
export async function openContextFile(contexts: ContextStore, name: string, signer: Signer, io: Io): Promise<ContextFile> {
  const file = await contexts.open(name, signer)
  for (const { message } of file.notices) await note(io, `Warning: ${file.path}: ${message}`)
  return file
}
