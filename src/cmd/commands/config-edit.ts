import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { DmsError, errorMessage } from '../../base/index.ts'
import { ConfigError, findConfigFile, type HandEdit, keepRejected, saveHandEdit, tryToMigrate } from '../../config/index.ts'
import { readPrivateFile, writePrivateFile } from '../../db/index.ts'
import type { Action } from '../command.ts'
import { EditorFailedError, UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import { tellMigration } from '../migration.ts'
import { note, oneLine, printLine } from '../output.ts'
import { placesOf } from '../settings.ts'

/** What is edited when there is no file yet. */
const EMPTY = '{}\n'

/**
 * `nunet config edit`: opens a private copy of the file in `$VISUAL` or `$EDITOR`; only a text that is a good
 * configuration replaces the file. Reads no configuration first: this is how a broken one is mended (D §12, 4).
 */
export const edit: Action = async ({ flags }, io) => {
  const editor = editorOf(io)
  const { path } = await findConfigFile(placesOf(flags, io))
  await printLine(io, `Text editor: ${editor.join(' ')}`)
  await printLine(io, `Config path: ${path}`)
  const { done } = await tryToMigrate(path, { clock: io.clock })
  if (done !== undefined) await tellMigration(done, path, io)
  const before = await readPrivateFile(path)
  const draft = await createDraft(path, before ?? EMPTY)
  await editDraft({ path, before, draft, editor }, io)
  await removeDraft(draft)
}

interface Editing extends Omit<HandEdit, 'text'> {
  readonly draft: string
  readonly editor: readonly string[]
}

/** Throws what the edit failed of, after what was written has been kept. */
async function editDraft(editing: Editing, io: Io): Promise<void> {
  try {
    await editUntilGood(editing, io)
  } catch (error) {
    if (await keepDraft(editing, io)) await removeDraft(editing.draft)
    throw error
  }
}

async function removeDraft(draft: string): Promise<void> {
  await rm(dirname(draft), { recursive: true, force: true })
}

async function editUntilGood(editing: Editing, io: Io): Promise<void> {
  const { path, before, draft, editor } = editing
  for (;;) {
    await runEditor(editor, draft, io)
    const text = await readPrivateFile(draft)
    if (text === undefined) throw new EditorFailedError(`the editor removed ${draft}; ${path} is unchanged`)
    if (text === (before ?? EMPTY)) return await note(io, 'Nothing was changed')
    try {
      await saveHandEdit({ path, before, text })
      return await printLine(io, 'Applied changes.')
    } catch (error) {
      if (!(error instanceof ConfigError) || !(await wantsToGoOn(error, io))) throw error
    }
  }
}

async function wantsToGoOn(error: ConfigError, { terminal, ...io }: Io): Promise<boolean> {
  if (terminal === undefined) return false
  await note(io, `Error: ${oneLine(errorMessage(error))}`)
  for (;;) {
    const answer = (await terminal.ask('Edit again, or stop and keep the file as it was? (e/s): ')).trim().toLowerCase()
    if (answer === 'e' || answer === 's') return answer === 'e'
  }
}

/** Nothing that was written is lost: it lies beside the file, or else where the editor left it. Returns whether the draft may go. */
async function keepDraft({ path, before, draft }: Editing, io: Io): Promise<boolean> {
  const text = await readPrivateFile(draft)
  if (text === undefined || text === (before ?? EMPTY)) return true
  try {
    const kept = await keepRejected({ path, text })
    await note(io, `${path} is unchanged; what was written is kept as ${kept}`)
    return true
  } catch (error) {
    if (!(error instanceof DmsError)) throw error
    await note(io, `${path} is unchanged; what was written is kept as ${draft} (${errorMessage(error)})`)
    return false
  }
}

/** In a directory of its own that only this user may enter: editors leave copies beside what they edit. */
async function createDraft(path: string, text: string): Promise<string> {
  const draft = join(await mkdtemp(join(tmpdir(), 'nunet-config-')), basename(path))
  await writePrivateFile(draft, text)
  return draft
}

/** Ctrl-C belongs to the editor while it runs. */
async function runEditor([program = '', ...args]: readonly string[], draft: string, io: Io): Promise<void> {
  const forget = io.onStopSignal(() => undefined)
  try {
    const code = await io.runProgram(program, [...args, draft])
    if (code !== 0) throw new EditorFailedError(`the editor ${program} ended with code ${code}`)
  } catch (error) {
    if (error instanceof EditorFailedError) throw error
    throw new EditorFailedError(`cannot run the editor ${program}: ${errorMessage(error)}`, { cause: error })
  } finally {
    forget()
  }
}

function editorOf({ environment }: Io): readonly string[] {
  const given = [environment['VISUAL'], environment['EDITOR']].map((value) =>
    (value ?? '').split(' ').filter((word) => word !== '')
  )
  const editor = given.find((words) => words.length > 0)
  if (editor === undefined) throw new UsageError('$EDITOR not set')
  return editor
}
