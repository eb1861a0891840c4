import { preserveFile, readPrivateFile, rewriteFile, withFileLock, writePrivateFile } from '../db/index.ts'
import { parseConfigText } from './config-file.ts'
import { ConfigConflictError } from './errors.ts'
import { problemsError, problemsOf } from './load.ts'

/** A text that a person made of the file. */
export interface HandEdit {
  readonly path: string
  /** The file when the edit began; `undefined` when there was none. */
  readonly before: string | undefined
  readonly text: string
}

/**
 * What is wrong with a text that is to become the file.
 *
 * @throws ConfigError for text that is not a JSON object, unknown keys and wrong values; names all of them.
 */
export function checkConfigText(path: string, text: string): void {
  const problems = problemsOf(path, parseConfigText(path, text))
  if (problems.length > 0) throw problemsError(problems, path)
}

/**
 * Puts an edited text in place of the file, byte for byte, keeping mode and owner.
 *
 * @throws ConfigError as {@link checkConfigText}; ConfigConflictError when the file changed since the edit began; the
 * file is untouched then.
 * @throws FileLockedError and the other errors of `db` when the file cannot be written.
 */
export async function saveHandEdit({ path, before, text }: HandEdit): Promise<void> {
  checkConfigText(path, text)
  await withFileLock(path, async () => {
    if ((await readPrivateFile(path)) !== before) {
      throw new ConfigConflictError(`${path} was changed while it was edited`, { details: { path } })
    }
    await rewriteFile(path, text)
  })
}

/** Keeps a text that may not become the file as `<file>.rejected`; an earlier one moves aside. Returns where it lies. */
export async function keepRejected({ path, text }: Pick<HandEdit, 'path' | 'text'>): Promise<string> {
  const rejected = `${path}.rejected`
  await preserveFile(rejected, `${rejected}.1`)
  await writePrivateFile(rejected, text)
  return rejected
}
