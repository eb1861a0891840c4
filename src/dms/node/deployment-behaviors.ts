import type { Actor } from '../../actor/index.ts'
import { type JsonValue, type Millis, millis } from '../../base/index.ts'
import {
  DEPLOYMENT_STATUSES,
  DONE,
  deploymentList,
  deploymentLogs,
  deploymentManifest,
  deploymentNew,
  deploymentShutdown,
  deploymentStatus,
  type ValueOf
} from '../../protocol/index.ts'
import { type DeploymentRecord, type Deployments, planOf, statusOf } from '../deployment/index.ts'
import { BadRequestError } from './errors.ts'

/** Output returned with one logs reply when no length is asked for, per stream. */
const DEFAULT_PAGE_BYTES = 65_536

/** Deployments on one page when no limit is asked for. */
const DEFAULT_LIMIT = 1000

/** Serves what a deployer asks of the own node (B §7.1). */
export function serveDeploymentBehaviors(actor: Actor, deployments: Deployments): void {
  actor.on(deploymentNew, async ({ ensemble }, { expiresAt }) => ({
    status: 'OK',
    ensembleId: await deployments.create(ensemble, expiresAt)
  }))
  actor.on(deploymentList, async (request) => listDeployments(deployments.list(), request))
  actor.on(deploymentStatus, async ({ id }) => describe(deployments.get(id)))
  actor.on(deploymentManifest, async ({ id }) => ({ manifest: deployments.manifest(id), error: '' }))
  actor.on(deploymentLogs, async ({ id, allocation, stdoutOffset, stderrOffset, maxBytes }, _envelope, { signal }) => {
    const from = { stdout: stdoutOffset ?? 0, stderr: stderrOffset ?? 0 }
    const page = await deployments.output(id, allocation, from, maxBytes ?? DEFAULT_PAGE_BYTES, signal)
    return {
      status: page.status,
      logsWrittenTo: page.directory,
      error: '',
      stdout: new TextDecoder().decode(page.stdout.data),
      stderr: new TextDecoder().decode(page.stderr.data),
      stdoutNext: page.stdout.next,
      stderrNext: page.stderr.next,
      complete: page.isComplete
    }
  })
  actor.on(deploymentShutdown, async ({ id }) => {
    await deployments.shutdown(id)
    return DONE
  })
}

function iso(instant: Millis): string {
  return new Date(instant).toISOString()
}

function describe(record: DeploymentRecord) {
  const { state, journal } = record
  const plan = planOf(state)
  const allocations = Object.entries(plan?.allocations ?? {}).map(([key, allocation]) => {
    const node = plan?.nodes[allocation.node]
    return [
      key,
      {
        allocationId: allocation.id,
        status: allocation.status,
        exitCode: allocation.exitCode,
        provider: node?.handle.did,
        peer: node?.peer,
        error: allocation.error === '' ? undefined : allocation.error,
        ...(allocation.endedAt === undefined ? {} : { endedAt: iso(allocation.endedAt) })
      }
    ] as const
  })
  return {
    status: statusOf(state),
    error: state.phase === 'ended' && state.outcome === 'failed' ? state.reason : '',
    allocations: Object.fromEntries(allocations),
    events: journal.map(({ at, text }) => ({ at: iso(at), text }))
  }
}

type DeploymentPage = ValueOf<typeof deploymentList.reply>

interface ListRequest {
  readonly metadata?: Readonly<Record<string, string>> | undefined
  readonly limit?: number | undefined
  readonly offset?: number | undefined
  readonly status?: readonly JsonValue[] | undefined
  readonly createdAfter?: string | undefined
  readonly createdBefore?: string | undefined
  readonly updatedAfter?: string | undefined
  readonly updatedBefore?: string | undefined
  readonly sortBy?: string | undefined
}

/** Filters, sorts, then cuts the page (C §15.5: the reference filtered after paging). */
export function listDeployments(all: readonly DeploymentRecord[], request: ListRequest): DeploymentPage {
  const wanted = request.status?.map(statusWord)
  const [createdAfter, createdBefore] = [instantOf(request.createdAfter), instantOf(request.createdBefore)]
  const [updatedAfter, updatedBefore] = [instantOf(request.updatedAfter), instantOf(request.updatedBefore)]
  const found = all
    .filter(({ state }) => wanted === undefined || wanted.length === 0 || wanted.includes(statusOf(state).toLowerCase()))
    .filter(({ metadata }) => Object.entries(request.metadata ?? {}).every(([name, value]) => metadata[name] === value))
    .filter(({ createdAt }) => createdAfter === undefined || createdAt > createdAfter)
    .filter(({ createdAt }) => createdBefore === undefined || createdAt < createdBefore)
    .filter(({ updatedAt }) => updatedAfter === undefined || updatedAt > updatedAfter)
    .filter(({ updatedAt }) => updatedBefore === undefined || updatedAt < updatedBefore)
    .sort(sorter(request.sortBy ?? '-created_at'))
  const offset = request.offset ?? 0
  const limit = request.limit === undefined || request.limit === 0 ? DEFAULT_LIMIT : request.limit
  const page = found.slice(offset, offset + limit)
  const hasMore = offset + page.length < found.length
  return {
    deployments: page.map(entryOf),
    total: found.length,
    hasMore,
    ...(hasMore ? { nextOffset: offset + page.length } : {})
  }
}

function entryOf({ id, state, createdAt, updatedAt, completedAt, metadata }: DeploymentRecord) {
  return {
    orchestratorId: id,
    status: statusOf(state),
    createdAt: iso(createdAt),
    updatedAt: iso(updatedAt),
    ...(completedAt === undefined ? {} : { completedAt: iso(completedAt) }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata })
  }
}

function statusWord(value: JsonValue): string {
  const word = typeof value === 'number' ? DEPLOYMENT_STATUSES[value] : value
  const known = DEPLOYMENT_STATUSES.find((status) => typeof word === 'string' && status.toLowerCase() === word.toLowerCase())
  if (known === undefined) {
    const text = typeof value === 'string' || typeof value === 'number' ? String(value) : 'of another kind'
    throw new BadRequestError(`unknown status ${text}; known are ${DEPLOYMENT_STATUSES.join(', ')}`)
  }
  return known.toLowerCase()
}

function instantOf(text: string | undefined): Millis | undefined {
  if (text === undefined || text === '') return undefined
  const instant = Date.parse(text)
  if (Number.isNaN(instant)) throw new BadRequestError(`${JSON.stringify(text)} is not a time such as 2026-01-31T12:00:00Z`)
  return millis(instant)
}

const SORT_KEYS = {
  created_at: ({ createdAt }: DeploymentRecord) => createdAt,
  updated_at: ({ updatedAt }: DeploymentRecord) => updatedAt,
  status: ({ state }: DeploymentRecord) => DEPLOYMENT_STATUSES.indexOf(statusOf(state))
} as const

function sorter(sortBy: string): (a: DeploymentRecord, b: DeploymentRecord) => number {
  const direction = sortBy.startsWith('-') ? -1 : 1
  const name = sortBy.replace(/^-/, '')
  const key = Object.entries(SORT_KEYS).find(([known]) => known === name)?.[1]
  if (key === undefined)
    throw new BadRequestError(
      `cannot sort by ${JSON.stringify(sortBy)}; possible are ${Object.keys(SORT_KEYS).join(', ')}, each with - for descending`
    )
  return (a, b) => direction * (key(a) - key(b)) || a.id.localeCompare(b.id)
}
