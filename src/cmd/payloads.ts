import { encodeGoJson, invariant, type JsonValue, parseJson } from '../base/index.ts'
import {
  allocationsList,
  artifactsList,
  artifactsPrune,
  broadcastHello,
  broadcastStatus,
  capAnchor,
  capList,
  capProvideAnchor,
  capRemove,
  capRequireAnchor,
  capRevokeAnchor,
  capRevokeBroadcast,
  capRootAnchor,
  deploymentList,
  deploymentLogs,
  deploymentManifest,
  deploymentNew,
  deploymentOutputs,
  deploymentOutputsRead,
  deploymentShutdown,
  deploymentStatus,
  encodeEnsemble,
  flightRecorder,
  loggerConfig,
  nodeEvents,
  offboard,
  onboard,
  onboardingResource,
  type PublicBehavior,
  peersConnect,
  peersPing,
  volumesDelete,
  volumesList
} from '../protocol/index.ts'
import type { Flags } from './command.ts'
import { readDid } from './dids.ts'
import { readEnsembleFile } from './ensemble-file.ts'
import { UsageError } from './errors.ts'
import type { Io } from './io.ts'
import { note } from './output.ts'
import { parseGpu, parseMetadata, parseSize, parseWhen } from './quantities.ts'
import { readTokens } from './tokens.ts'

/** How a behaviour is called from the command line. */
export interface Call {
  readonly name: string
  /** Set for broadcasts. */
  readonly topic?: string
  /** Whether it changes something: an error inside of its reply is then an error of the command. */
  readonly isChange: boolean
  /** The payload that the flags ask for. */
  payload(flags: Flags, io: Io): Promise<JsonValue>
}

/** The behaviours of `BEHAVIORS` that are not plain. */
export const CALLS: readonly Call[] = [
  query(broadcastHello, () => null),
  query(broadcastStatus, () => null),
  query(peersPing, (flags) => ({ host: flags.text('host') ?? '' })),
  change(peersConnect, (flags) => ({ address: flags.text('address') ?? '' })),
  change(onboard, (flags) => {
    const cards = { noGpu: flags.isOn('no-gpu'), gpus: flags.list('gpus').map(parseGpu) }
    return flags.isOn('max') ? { ...requestOf({ ...NOTHING, ...cards }), max: true } : requestOf({ ...amountOf(flags), ...cards })
  }),
  change(onboardingResource, (flags) => ({ config: requestOf({ ...amountOf(flags), noGpu: true, gpus: [] }).config })),
  change(offboard, (flags) => ({
    ...(flags.isOn('force') ? { force: true } : {}),
    ...(flags.isOn('drain') ? { drain: true } : {})
  })),
  query(allocationsList, (flags) => ({
    limit: flags.number('limit'),
    offset: flags.number('offset'),
    status: flags.isSet('status') ? flags.list('status') : undefined
  })),
  query(artifactsList, (flags) => ({ limit: flags.number('limit'), offset: flags.number('offset') })),
  change(artifactsPrune, (flags, io) => ({
    usedBefore: flags.isSet('used-before')
      ? parseWhen('used-before', flags.text('used-before') ?? '', io.clock.now())
      : undefined,
    downTo: flags.isSet('down-to') ? parseSize('down-to', flags.text('down-to') ?? '') : undefined
  })),
  query(volumesList, (flags) => ({ limit: flags.number('limit'), offset: flags.number('offset') })),
  change(volumesDelete, (flags) => ({ owner: flags.text('owner') ?? '', name: flags.text('name') ?? '' })),
  change(loggerConfig, (flags) => ({
    interval: flags.number('interval'),
    url: flags.text('url'),
    level: flags.text('level'),
    apiKey: flags.text('api-key'),
    apmUrl: flags.text('apm-url'),
    elasticEnabled: flags.isSet('enable-elastic') ? flags.isOn('enable-elastic') : undefined
  })),
  query(flightRecorder, (flags) => ({ limit: flags.number('limit'), level: flags.text('level') })),
  change(deploymentNew, async (flags, io) => ({ ensemble: await ensembleOf(flags, io) })),
  query(deploymentList, filtersOf),
  query(nodeEvents, (flags) => ({ after: flags.text('after'), limit: flags.number('limit') })),
  query(deploymentStatus, (flags) => ({ id: idOf(flags), ...(flags.isOn('include-usage') ? { includeUsage: true } : {}) })),
  query(deploymentManifest, (flags) => ({ id: idOf(flags) })),
  query(deploymentLogs, (flags) => ({ id: idOf(flags), allocation: flags.text('allocation') ?? '' })),
  query(deploymentOutputs, (flags) => ({
    id: idOf(flags),
    allocation: flags.text('allocation'),
    limit: flags.number('limit'),
    offset: flags.number('offset')
  })),
  query(deploymentOutputsRead, (flags) => ({
    id: idOf(flags),
    allocation: flags.text('allocation') ?? '',
    path: flags.text('path') ?? '',
    offset: flags.number('offset'),
    maxBytes: flags.number('max-bytes')
  })),
  change(deploymentShutdown, (flags) => ({ id: idOf(flags) })),
  change(capRootAnchor, (flags) => ({ did: flags.list('did').map((text) => readDid(text, '--did')) })),
  change(capRequireAnchor, tokenOf),
  change(capProvideAnchor, tokenOf),
  change(capRevokeAnchor, tokenOf),
  change(capAnchor, anchorOf),
  change(capRemove, anchorOf),
  query(capList, (flags) => ({ context: flags.text('context') ?? '' })),
  toNode(change(capRevokeBroadcast, async (flags, io) => (flags.isSet('token') ? await tokenOf(flags, io) : {})))
]

type Build<Request> = (flags: Flags, io: Io) => Request | Promise<Request>

function query<Request>(behavior: PublicBehavior<Request, unknown>, build: Build<NoInfer<Request>>): Call {
  const { name, topic, request } = behavior
  return {
    name,
    ...(topic === undefined ? {} : { topic }),
    isChange: false,
    payload: async (flags, io) => toJson(request.encode(await build(flags, io)))
  }
}

function change<Request>(behavior: PublicBehavior<Request, unknown>, build: Build<NoInfer<Request>>): Call {
  return { ...query(behavior, build), isChange: true }
}

/** Sent to the node and not on the topic: the node publishes in its own name, and again for those that are away. */
function toNode({ name, isChange, payload }: Call): Call {
  return { name, isChange, payload }
}

/** What an encoder made is JSON; only its type does not say so. */
function toJson(encoded: unknown): JsonValue {
  const json = parseJson(encodeGoJson(encoded))
  invariant(json.ok, 'a request does not encode to JSON')
  return json.value
}

function idOf(flags: Flags): string {
  return flags.text('id') ?? ''
}

async function tokenOf(flags: Flags, io: Io) {
  return { token: await readTokens(flags.text('token') ?? '', io) }
}

async function anchorOf(flags: Flags, io: Io) {
  const root = flags.text('root')
  if (root !== undefined) return { roots: [readDid(root, '--root')] }
  const kind = (['require', 'provide', 'revoke'] as const).find((name) => flags.isSet(name))
  return kind === undefined ? {} : { [kind]: await readTokens(flags.text(kind) ?? '', io) }
}

async function ensembleOf(flags: Flags, io: Io): Promise<JsonValue> {
  const path = flags.text('spec-file') ?? ''
  const { ensemble, unsupported } = await readEnsembleFile(path, flags, io)
  for (const line of unsupported) await note(io, line)
  if (unsupported.length > 0) throw new UsageError(`${path} asks for what this version cannot do (${unsupported.length} times)`)
  return toJson(encodeEnsemble(ensemble))
}

function amountOf(flags: Flags): Pick<Offer, 'cores' | 'memory' | 'disk'> {
  const cores = flags.number('cpu') ?? 0
  if (cores <= 0) throw new UsageError(`--cpu must be more than 0 cores, got ${cores}`)
  return {
    cores,
    memory: parseSize('ram', flags.text('ram') ?? ''),
    disk: parseSize('disk', flags.text('disk') ?? '')
  }
}

/** An offer whose size the node finds. */
const NOTHING = { cores: 0, memory: 0, disk: 0 } as const

/** What an owner offers; sizes in bytes, cards as `parseGpu` reads them. */
export interface Offer {
  readonly cores: number
  readonly memory: number
  readonly disk: number
  readonly gpus: readonly string[]
  readonly noGpu: boolean
}

/** The payload of `/dms/node/onboarding/onboard`. */
export function onboardPayload(offer: Offer): JsonValue {
  return toJson(onboard.request.encode(requestOf(offer)))
}

function requestOf({ cores, memory, disk, gpus, noGpu }: Offer) {
  return {
    noGpu,
    gpus,
    config: {
      resources: {
        cpu: { clockHz: 0, cores, model: '', vendor: '', threads: 0, architecture: '', cacheBytes: 0 },
        gpus: [],
        ram: { size: memory, clockSpeed: 0, type: '' },
        disk: { size: disk, type: '' }
      }
    }
  }
}

function filtersOf(flags: Flags, io: Io) {
  const now = io.clock.now()
  const when = (name: string): string | undefined => {
    const text = flags.text(name)
    return text === undefined ? undefined : parseWhen(name, text, now)
  }
  return {
    metadata: flags.isSet('filter') ? parseMetadata(flags.list('filter')) : undefined,
    limit: flags.number('limit'),
    offset: flags.number('offset'),
    status: flags.isSet('status') ? flags.list('status') : undefined,
    createdAfter: when('created-after'),
    createdBefore: when('created-before'),
    updatedAfter: when('updated-after'),
    updatedBefore: when('updated-before'),
    sortBy: flags.text('sort')
  }
}
