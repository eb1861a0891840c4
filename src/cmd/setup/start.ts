import { isRunning, startInBackground } from '../background.ts'
import type { Io } from '../io.ts'
import { note } from '../output.ts'
import { newPassphrase } from '../passphrase.ts'
import { findPassphrase } from '../passphrase-sources.ts'
import type { SetupRun } from './run.ts'

/** Asks nothing but passphrases: every question gets its usual answer. */
export function withoutQuestions(io: Io): Io {
  return io.terminal === undefined ? io : { ...io, terminal: { ...io.terminal, ask: async () => '' } }
}

/**
 * The {@link Io} that knows the passphrase of all keys of this call: one from its sources, which are read once; or, when no key is
 * there yet, one that is asked for and protects all of them.
 */
export async function withOnePassphrase(
  io: Io,
  { name, isNew }: { readonly name: string; readonly isNew: boolean }
): Promise<Io> {
  const found = await findPassphrase(io, name)
  if (found === undefined && (!isNew || io.terminal === undefined)) return io
  if (found === undefined)
    await note(io, 'Choose a passphrase for the keys of this machine and of yours; it cannot be recovered.')
  const passphrase = found ?? (await newPassphrase(io, name))
  const { passphraseFlags: _, ...rest } = io
  return { ...rest, passphrase }
}

/** Starts the daemon unless it runs; says which. */
export async function ensureRunning(run: SetupRun): Promise<'started' | 'running'> {
  const { flags, io, dms } = run
  const options = { flags, io, name: dms, did: (await run.summary(dms)).did }
  if (await isRunning(options)) {
    await run.report({ step: 'service', state: 'already', text: 'the DMS runs' })
    return 'running'
  }
  await startInBackground(options)
  await run.report({
    step: 'service',
    state: 'done',
    text: 'the DMS runs in the background; stop it with nunet down',
    command: `nunet run -c ${dms}`
  })
  return 'started'
}
