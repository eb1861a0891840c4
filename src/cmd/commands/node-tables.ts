import type { Millis } from '../../base/index.ts'
import { allocationsList, peersList, peersScore, type ValueOf } from '../../protocol/index.ts'
import { type Cell, type Column, renderColumns } from '../columns.ts'
import type { Action } from '../command.ts'
import { note, printJson } from '../output.ts'
import { statusCell, understood } from '../replies.ts'
import { ageOf } from '../times.ts'
import { askNode } from './actor-cmd.ts'

/** `nunet get peers`: who is connected and how well each carries broadcasts, or the list as it is with `--json`. */
export const getPeers: Action = async ({ flags }, io) => {
  const reply = await askNode(peersList.name, flags, io)
  if (flags.isOn('json')) return await printJson(io, reply)
  const { lower, upper } = understood(peersList.reply.decode(reply))
  const { score } = understood(peersScore.reply.decode(await askNode(peersScore.name, flags, io)))
  const known = new Map(lower.map((peer) => [peer.id, peer]))
  const rows = upper.map((peer) => {
    const { did = '-', connection = '-' } = known.get(peer) ?? {}
    return [peer, connection, scoreText(score[peer]?.score), did]
  })
  if (rows.length > 0) await io.stdout.write(renderColumns(PEER_COLUMNS, rows, io.stdout.screen))
  else await note(io, 'No peers')
}

const PEER_COLUMNS: readonly Column[] = [
  { title: 'PEER', isWhole: true },
  { title: 'CONNECTION' },
  { title: 'SCORE', align: 'right' },
  { title: 'DID' }
]

function scoreText(score: number | undefined): string {
  return score === undefined ? '-' : score.toFixed(1)
}

/** `nunet get allocations`: the jobs of others on a machine, or the reply as it is with `--json`. */
export const getAllocations: Action = async ({ flags }, io) => {
  const reply = await askNode(allocationsList.name, flags, io)
  if (flags.isOn('json')) return await printJson(io, reply)
  const { allocations, total, hasMore } = understood(allocationsList.reply.decode(reply))
  const rows = allocations.map((entry) => rowOf(entry, io.clock.now()))
  if (rows.length > 0) await io.stdout.write(renderColumns(ALLOCATION_COLUMNS, rows, io.stdout.screen))
  else await note(io, 'No allocations')
  if (hasMore === true) await note(io, `${allocations.length} of ${total ?? 'more'}: more with --limit and --offset`)
}

type Allocation = ValueOf<typeof allocationsList.reply>['allocations'][number]

const ALLOCATION_COLUMNS: readonly Column[] = [
  { title: 'ID', isWhole: true },
  { title: 'STATUS' },
  { title: 'EXECUTOR' },
  { title: 'CPU', align: 'right' },
  { title: 'RAM', align: 'right' },
  { title: 'AGE', align: 'right' },
  { title: 'OWNER' }
]

function rowOf({ id, status, executor, resources, createdAt = '', owner = '' }: Allocation, now: Millis): readonly Cell[] {
  return [
    id,
    statusCell(status),
    executor,
    String(resources.cpu.cores),
    `${(resources.ram.size / 2 ** 30).toFixed(1)} GiB`,
    ageOf(createdAt, now),
    owner
  ]
}
