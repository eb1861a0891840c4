import { define } from './behavior.ts'
import { flag, integer, json, list, map, maybe, member, object, text } from './codec.ts'
import { done } from './common.ts'

/** Ends of a deployment's life as clients read them (C §8.1); the number is the one of list filters. */
export const DEPLOYMENT_STATUSES = [
  'Preparing',
  'Generating',
  'Committing',
  'Provisioning',
  'Running',
  'Failed',
  'ShuttingDown',
  'Completed',
  'Updating'
] as const

/** One of {@link DEPLOYMENT_STATUSES}. */
export type DeploymentStatus = (typeof DEPLOYMENT_STATUSES)[number]

const ensembleId = text(128)

/** Starts a deployment (C §8.2). */
export const deploymentNew = define({
  name: '/dms/node/deployment/new',
  callers: 'root',
  summary:
    'Starts a deployment and answers with its id at once. The message may live 59 s or more; the deployment has until then to run.',
  request: object({ ensemble: member('Ensemble', json) }),
  reply: object({ status: member('Status', text()), ensembleId: maybe('EnsembleID', ensembleId), error: maybe('Error', text()) })
})

const listEntry = object({
  orchestratorId: member('orchestrator_id', ensembleId),
  status: member('status', text()),
  createdAt: member('created_at', text()),
  updatedAt: member('updated_at', text()),
  completedAt: maybe('completed_at', text()),
  metadata: maybe('metadata', map(text()))
})

/** Deployments of this node, filtered before they are cut into pages. */
export const deploymentList = define({
  name: '/dms/node/deployment/list',
  callers: 'root',
  summary: 'Deployments of this node; filters first, then sorting, then the page (at most 1000).',
  request: object({
    metadata: maybe('metadata', map(text())),
    limit: maybe('limit', integer({ min: 0, max: 1000 })),
    offset: maybe('offset', integer({ min: 0 })),
    status: maybe('status', list(json, 32)),
    createdAfter: maybe('created_after', text()),
    createdBefore: maybe('created_before', text()),
    updatedAfter: maybe('updated_after', text()),
    updatedBefore: maybe('updated_before', text()),
    sortBy: maybe('sort_by', text())
  }),
  reply: object({
    deployments: member('deployments', list(listEntry)),
    total: member('total', integer()),
    hasMore: member('has_more', flag),
    nextOffset: maybe('next_offset', integer())
  })
})

const event = object({ at: member('at', text()), text: member('text', text(8192)) })

const allocationInfo = object({
  allocationId: member('allocation_id', text()),
  status: member('status', text()),
  exitCode: maybe('exit_code', integer()),
  provider: maybe('provider', text()),
  peer: maybe('peer', text()),
  startedAt: maybe('started_at', text()),
  endedAt: maybe('ended_at', text()),
  error: maybe('error', text())
})

/** Where a deployment stands, and how it came there. */
export const deploymentStatus = define({
  name: '/dms/node/deployment/status',
  callers: 'root',
  summary: 'Where a deployment stands, its allocations, and the journal of what happened and why.',
  request: object({ id: member('id', ensembleId, 'EnsembleID'), includeUsage: maybe('include_usage', flag) }),
  reply: object({
    status: member('status', text()),
    error: member('error', text()),
    allocations: maybe('allocation_info', map(allocationInfo)),
    events: maybe('events', list(event))
  })
})

/** What runs where (C §8.13). */
export const deploymentManifest = define({
  name: '/dms/node/deployment/manifest',
  callers: 'root',
  summary: 'What runs where: the manifest of a deployment.',
  request: object({ id: member('ID', ensembleId, 'EnsembleID') }),
  reply: object({ manifest: maybe('manifest', json), error: maybe('error', text()) })
})

/** The output of an allocation: fetched in pieces, kept as files, returned as text from an offset. */
export const deploymentLogs = define({
  name: '/dms/node/deployment/logs',
  callers: 'root',
  summary: 'Fetches the output of an allocation, writes it below the work directory and returns it as text, in pages.',
  request: object({
    id: member('EnsembleID', ensembleId, 'id'),
    allocation: member('AllocationName', text(256), 'allocation'),
    stdoutOffset: maybe('stdout_offset', integer({ min: 0 })),
    stderrOffset: maybe('stderr_offset', integer({ min: 0 })),
    maxBytes: maybe('max_bytes', integer({ min: 1, max: 262_144 }))
  }),
  reply: object({
    status: member('status', text()),
    logsWrittenTo: member('LogsWrittenTo', text()),
    error: member('Error', text()),
    stdout: maybe('stdout', text(1_048_576)),
    stderr: maybe('stderr', text(1_048_576)),
    stdoutNext: maybe('stdout_next_offset', integer()),
    stderrNext: maybe('stderr_next_offset', integer()),
    complete: maybe('complete', flag)
  })
})

/** Ends a deployment in whatever state it is (C §8.11, §15.3, 2). */
export const deploymentShutdown = define({
  name: '/dms/node/deployment/shutdown',
  callers: 'root',
  summary: 'Ends a deployment in whatever state it is; a deployment that has ended already is an error.',
  request: object({ id: member('ID', ensembleId, 'EnsembleID') }),
  reply: done
})
