import { join } from 'node:path'
import { errorMessage } from '../base/index.ts'
import type { Config } from '../config/index.ts'
import type { Signer } from '../identity/index.ts'
import {
  type CapabilityContext,
  type ContextFile,
  ContextNotFoundError,
  type ContextStore,
  createContextStore,
  createIssuedRecord,
  type IssuedRecord,
  type Token
} from '../ucan/index.ts'
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
  if (!(await contexts.exists(fileName))) throw noContext(name)
  return await openContextFile(contexts, fileName, await openSigner(), io)
}

/** Opens a context with its key; what was set aside in it is told on stderr. */
export async function openContextFile(contexts: ContextStore, name: string, signer: Signer, io: Io): Promise<ContextFile> {
  const file = await contexts.open(name, signer)
  for (const { message } of file.notices) await note(io, `Warning: ${file.path}: ${message}`)
  return file
}

/** Has the DMS that runs with this context take a change over; loaded only by commands that have changed something. */
export async function tellDms(context: CapabilityContext, flags: Flags, io: Io): Promise<void> {
  const { tellRunningDms } = await import('./running-dms.ts')
  await tellRunningDms(context, flags, io)
}

/** The record of what the context that `--context` names has issued; needs no key. */
export async function issuedBy(flags: Flags, io: Io): Promise<IssuedRecord> {
  const { config } = await loadSettings(flags, io)
  const name = flags.text('context') ?? ''
  const { fileName } = await contextSourceOf(name, config, io)
  if (!(await contextsOf(config, io).exists(fileName))) throw noContext(name)
  return createIssuedRecord({ path: join(config.general.user_dir, 'cap', `${fileName}.issued.jsonl`), clock: io.clock })
}

/** Remembers what was issued, so that it can be revoked without the token at hand; failing to do so is only worth a warning. */
export async function recordIssued(tokens: readonly Token[], flags: Flags, io: Io): Promise<void> {
  try {
    await (await issuedBy(flags, io)).add(tokens)
  } catch (error) {
    await note(io, `Warning: the token is not in the list of cap issued, keep it to revoke it: ${errorMessage(error)}`)
  }
}

function noContext(name: string): ContextNotFoundError {
  return new ContextNotFoundError(`there is no capability context ${name}; create it with: nunet cap new ${name}`)
}
