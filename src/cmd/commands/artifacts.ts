import type { Millis } from '../../base/index.ts'
import { artifactsList, artifactsPrune, type ValueOf } from '../../protocol/index.ts'
import { type Cell, type Column, renderColumns } from '../columns.ts'
import type { Action } from '../command.ts'
import { note, printJson } from '../output.ts'
import { understood } from '../replies.ts'
import { ageOf } from '../times.ts'
import { askNode } from './actor-cmd.ts'

/** `nunet artifacts list`: what the node keeps of registries, or the reply as it is with `--json`. */
export const listArtifacts: Action = async ({ flags }, io) => {
  const reply = await askNode(artifactsList.name, flags, io)
  if (flags.isOn('json')) return await printJson(io, reply)
  const { artifacts, total, totalSize, hasMore } = understood(artifactsList.reply.decode(reply))
  const rows = artifacts.map((entry) => rowOf(entry, io.clock.now()))
  if (rows.length > 0) await io.stdout.write(renderColumns(COLUMNS, rows, io.stdout.screen))
  await note(io, total === 0 ? 'No artifacts' : `${total} in all, ${sizeText(totalSize)} on the disk`)
  if (hasMore) await note(io, `${artifacts.length} of ${total}: more with --limit and --offset`)
}

/** `nunet artifacts prune`: removes what no job uses. */
export const pruneArtifacts: Action = async ({ flags }, io) => {
  const reply = await askNode(artifactsPrune.name, flags, io)
  if (flags.isOn('json')) return await printJson(io, reply)
  const { removed, total, freed } = understood(artifactsPrune.reply.decode(reply))
  const rows = removed.map((entry) => rowOf(entry, io.clock.now()))
  if (rows.length > 0) await io.stdout.write(renderColumns(COLUMNS, rows, io.stdout.screen))
  await note(io, total === 0 ? 'Nothing to remove' : `${total} removed, ${sizeText(freed)} freed`)
}

type Artifact = ValueOf<typeof artifactsList.reply>['artifacts'][number]

const COLUMNS: readonly Column[] = [
  { title: 'DIGEST', isWhole: true },
  { title: 'KIND' },
  { title: 'SIZE', align: 'right' },
  { title: 'USED', align: 'right' },
  { title: 'JOBS', align: 'right' },
  { title: 'NAME' }
]

/** So much of a digest tells images apart, and is what other tools show. */
const SHOWN_DIGEST = 'sha256:'.length + 12

function rowOf({ digest, kind, size, usedAt, usedBy, references }: Artifact, now: Millis): readonly Cell[] {
  return [digest.slice(0, SHOWN_DIGEST), kind, sizeText(size), ageOf(usedAt, now), String(usedBy.length), references[0] ?? '-']
}

function sizeText(size: number): string {
  if (size < 2 ** 20) return `${Math.ceil(size / 1024)} KiB`
  return size < 2 ** 30 ? `${(size / 2 ** 20).toFixed(1)} MiB` : `${(size / 2 ** 30).toFixed(1)} GiB`
}
