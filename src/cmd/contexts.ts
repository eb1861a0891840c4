import { join } from 'node:path'
import { DmsError, errorMessage } from '../base/index.ts'
import type { Config } from '../config/index.ts'
import type { Signer } from '../identity/index.ts'
import {
  type CapabilityContext,
  type ContextFile,
  ContextNotFoundError,
  type ContextStore,
  type ContextView,
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
export function contextsOf(config: Config, { clock, random }: Pick<Io, 'clock' | 'random'>): ContextStore {
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
  return await openContextFile(contexts, fileName, openSigner, io)
}

/** Opens a context with its key; what was set aside in it is told on stderr. */
export async function openContextFile(
  contexts: ContextStore,
  name: string,
  signer: Signer | (() => Promise<Signer>),
  io: Io
): Promise<ContextFile> {
  const file = await contexts.open(name, signer)
  await tellNotices(file, io)
  return file
}

/** What {@link readContext} takes besides the flags. */
export interface ReadOptions {
  /** Reads a context whose signature does not fit, too; its notices say so. */
  readonly acceptChanged?: boolean
}

/** Reads the context that `--context` names; no key and no passphrase is needed. Tells on stderr as {@link openContext}. */
export async function readContext(flags: Flags, io: Io, options: ReadOptions = {}): Promise<ContextView> {
  const { config } = await loadSettings(flags, io)
  const name = flags.text('context') ?? ''
  const { fileName } = await contextSourceOf(name, config, io)
  const view = await readNamed(name, fileName, contextsOf(config, io), options)
  await tellNotices(view, io)
  return view
}

/** All contexts of the user directory that can be read, by name; a broken one is nobody's business here. */
export async function readAllContexts(contexts: ContextStore): Promise<ReadonlyMap<string, ContextView>> {
  const views = new Map<string, ContextView>()
  for (const name of await contexts.list()) {
    const view = await contexts.read(name).catch((error: unknown) => {
      if (error instanceof DmsError) return undefined // commands that are about that context refuse it with this error
      throw error
    })
    if (view !== undefined) views.set(name, view)
  }
  return views
}

async function readNamed(
  name: string,
  fileName: string,
  contexts: ContextStore,
  options: ReadOptions = {}
): Promise<ContextView> {
  if (!(await contexts.exists(fileName))) throw noContext(name)
  return await contexts.read(fileName, options)
}

async function tellNotices({ path, notices }: Pick<ContextFile, 'path' | 'notices'>, io: Io): Promise<void> {
  for (const { message } of notices) await note(io, `Warning: ${path}: ${message}`)
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
