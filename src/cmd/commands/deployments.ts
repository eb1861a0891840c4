import type { Millis } from '../../base/index.ts'
import { deploymentList, type ValueOf } from '../../protocol/index.ts'
import { type Cell, type Column, renderColumns } from '../columns.ts'
import type { Action } from '../command.ts'
import { note, printJson } from '../output.ts'
import { statusCell, understood } from '../replies.ts'
import { ageOf } from '../times.ts'
import { askNode } from './actor-cmd.ts'

/** `nunet get deployments`: a table, or the reply as it is with `--json`. */
export const getDeployments: Action = async ({ flags }, io) => {
  const reply = await askNode(deploymentList.name, flags, io)
  if (flags.isOn('json')) return await printJson(io, reply)
  const { deployments, total, hasMore } = understood(deploymentList.reply.decode(reply))
  const rows = deployments.map((entry) => rowOf(entry, io.clock.now()))
  if (rows.length > 0) await io.stdout.write(renderColumns(COLUMNS, rows, io.stdout.screen))
  else await note(io, 'No deployments')
  if (hasMore) await note(io, `${deployments.length} of ${total}: more with --limit and --offset`)
}

type Deployment = ValueOf<typeof deploymentList.reply>['deployments'][number]

const COLUMNS: readonly Column[] = [
  { title: 'ID', isWhole: true },
  { title: 'STATUS' },
  { title: 'AGE', align: 'right' },
  { title: 'CHANGED', align: 'right' },
  { title: 'METADATA' }
]

function rowOf({ orchestratorId, status, createdAt, updatedAt, metadata }: Deployment, now: Millis): readonly Cell[] {
  const pairs = Object.entries(metadata ?? {}).map(([name, value]) => `${name}=${value}`)
  return [orchestratorId, statusCell(status), ageOf(createdAt, now), ageOf(updatedAt, now), pairs.join(' ')]
}
