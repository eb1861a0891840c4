import { join, resolve } from 'node:path'
import { clashIn, isRelativePath, type JsonValue, seconds } from '../../base/index.ts'
import { BadReplyError, type Session } from '../../client/index.ts'
import { deploymentOutputs, deploymentOutputsRead, type ValueOf } from '../../protocol/index.ts'
import { type Column, renderColumns } from '../columns.ts'
import type { Action } from '../command.ts'
import { RefusedReplyError, UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import { note, oneLine, printJson } from '../output.ts'
import { withProgress } from '../progress.ts'
import { understood } from '../replies.ts'
import { saveFile } from '../save-file.ts'
import { openSession } from '../sessions.ts'

const ANSWER_TIME = seconds(20)

type Page = ValueOf<typeof deploymentOutputs.reply>
type Output = Page['outputs'][number]

/**
 * `nunet get outputs <deployment> [allocation]`: lists what jobs left, or with `--to` writes it into a directory.
 *
 * @throws RefusedReplyError when something is not here and will not come.
 */
export const getOutputs: Action = async ({ args, flags }, io) => {
  const [id = '', allocation] = args
  const to = flags.text('to')
  if (to !== undefined && flags.isOn('list')) throw new UsageError('--list and --to exclude each other')
  const session = await openSession(flags, io)
  const found = await listAll(session, id, allocation)
  if (flags.isOn('json')) return await printJson(io, toJson(found))
  if (to === undefined) return await show(found, io)
  const directory = resolve(io.cwd, to)
  await writeAll({ session, id, io, directory, places: placesOf(found) })
  await tellNotes(found, io)
  const missing = found.notes.find(({ complete }) => !complete)
  if (missing !== undefined)
    throw new RefusedReplyError(`the outputs of ${oneLine(missing.allocation)} are not complete: ${missing.error}`)
}

interface Found {
  readonly outputs: readonly Output[]
  readonly notes: Page['notes']
}

async function listAll(session: Session, id: string, allocation: string | undefined): Promise<Found> {
  const outputs: Output[] = []
  for (;;) {
    const payload = deploymentOutputs.request.encode({ id, allocation, offset: outputs.length }) as JsonValue
    const reply = await session.invoke({ behavior: deploymentOutputs.name, payload, timeout: ANSWER_TIME })
    const page = understood(deploymentOutputs.reply.decode(reply))
    outputs.push(...page.outputs)
    if (!page.hasMore || page.outputs.length === 0) return { outputs, notes: page.notes }
  }
}

function toJson({ outputs, notes }: Found): JsonValue {
  return { outputs: outputs.map((output) => ({ ...output })), notes: notes.map((entry) => ({ ...entry })) }
}

const COLUMNS: readonly Column[] = [
  { title: 'ALLOCATION' },
  { title: 'SIZE', align: 'right' },
  { title: 'SHA256' },
  { title: 'HERE' },
  { title: 'PATH', isWhole: true }
]

async function show(found: Found, io: Io): Promise<void> {
  const rows = found.outputs.map(({ allocation, path, size, sha256, isHere }) => {
    return [oneLine(allocation), String(size), sha256.slice(0, 12), isHere ? 'yes' : 'no', oneLine(path)]
  })
  if (rows.length > 0) await io.stdout.write(renderColumns(COLUMNS, rows, io.stdout.screen))
  else await note(io, found.notes.length === 0 ? 'No job of this deployment has outputs' : 'No outputs')
  await tellNotes(found, io)
}

async function tellNotes({ notes }: Found, io: Io): Promise<void> {
  for (const { allocation, error, published, complete, directory } of notes) {
    if (error !== '') await note(io, `${oneLine(allocation)}: ${oneLine(error)}`)
    if (published !== '') await note(io, `${oneLine(allocation)}: published at ${oneLine(published)}`)
    if (complete) await note(io, `${oneLine(allocation)}: on the machine of the node in ${oneLine(directory)}`)
  }
}

interface Placed extends Output {
  /** Below the directory that the user named. */
  readonly place: string
}

/** Files of several jobs are kept apart. @throws BadReplyError for names that would lead elsewhere. */
function placesOf({ outputs }: Found): readonly Placed[] {
  const isOneOfMany = new Set(outputs.map(({ allocation }) => allocation)).size > 1
  const placed = outputs.map((output) => ({
    ...output,
    place: isOneOfMany ? `${output.allocation}/${output.path}` : output.path
  }))
  const bad = placed.find(({ place }) => !isRelativePath(place))?.place ?? clashIn(placed.map(({ place }) => place))
  if (bad !== undefined)
    throw new BadReplyError(`the node lists an output that cannot be a file: ${JSON.stringify(bad.slice(0, 200))}`)
  return placed.filter(({ isHere }) => isHere)
}

interface Writing {
  readonly session: Session
  readonly id: string
  readonly io: Io
  readonly directory: string
  readonly places: readonly Placed[]
}

async function writeAll({ session, id, io, directory, places }: Writing): Promise<void> {
  for (const [index, { allocation, path, place, size, sha256 }] of places.entries()) {
    const read = async (offset: number): Promise<Uint8Array> => {
      const payload = deploymentOutputsRead.request.encode({ id, allocation, path, offset }) as JsonValue
      const reply = await session.invoke({ behavior: deploymentOutputsRead.name, payload, timeout: ANSWER_TIME })
      return understood(deploymentOutputsRead.reply.decode(reply)).data
    }
    const text = `${index + 1} of ${places.length}: ${oneLine(place)} (${size} bytes)`
    const isNew = await withProgress(io, { text }, () => saveFile({ path: join(directory, place), size, sha256, read }))
    await note(io, isNew ? text : `${text}, was there already`)
  }
}
