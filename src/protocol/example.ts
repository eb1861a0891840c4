import { rootHandleOf } from '../actor/index.ts'
import { invariant, type JsonValue } from '../base/index.ts'
import { parseDid, publicKeyOf } from '../identity/index.ts'
import type { PublicBehavior } from './behavior.ts'
import type { Shape } from './codec.ts'

/** An identity for documentation; its key is public knowledge. */
const SOMEBODY = 'did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp'

/** The root actor of {@link SOMEBODY}: their ids in every form that a message can ask for. */
function somebody(): Readonly<Record<string, string>> {
  const did = parseDid(SOMEBODY)
  invariant(did.ok, `${SOMEBODY} is a DID`)
  const key = publicKeyOf(did.value)
  invariant(key.ok, `${SOMEBODY} has a key`)
  const handle = rootHandleOf(key.value)
  invariant(handle.ok, `${SOMEBODY} has a handle`)
  const { id, host, inbox } = handle.value
  return {
    pub: id,
    uri: SOMEBODY,
    did: SOMEBODY,
    host,
    inbox,
    peer: host,
    peerid: host,
    peers: host,
    peerexclusion: host,
    'peers/self.id': host,
    'peers.id': host,
    'p2p.id': host,
    address: `/ip4/203.0.113.7/tcp/9000/p2p/${host}`
  }
}

/** Maps whose keys are peer ids. */
function peerKeys(): Readonly<Record<string, string>> {
  const { host = '' } = somebody()
  return { 'peers/score.score': host, 'node/status': host, 'dms/status': host }
}

/**
 * Values that have the forms of a behaviour's request and reply, with every optional member, for people to look at.
 *
 * Deterministic. Members with a well-known name get a value that is typical of them; all of it decodes.
 */
export function examplesOf({ name, request, reply }: PublicBehavior<unknown, unknown>): {
  readonly request: JsonValue
  readonly reply: JsonValue
} {
  const owner = name.split('/').slice(-2).join('/')
  return { request: exampleOf(request.shape, owner), reply: exampleOf(reply.shape, owner) }
}

/**
 * A value that has a shape, as {@link examplesOf}.
 *
 * @param name - Name of the member that has the shape, in any spelling.
 * @param parent - What the member is part of: the name of a member or the last two parts of a behaviour's path.
 */
export function exampleOf(shape: Shape, name: string, parent = ''): JsonValue {
  switch (shape.type) {
    case 'list':
      return [exampleOf(shape.of, name, parent)]
    case 'map':
      return { [typical({ ...KEYS, ...peerKeys() }, name, parent) ?? 'name']: exampleOf(shape.of, name, parent) }
    case 'object':
      return Object.fromEntries(shape.members.map((member) => [member.name, exampleOf(member.shape, member.name, name)]))
    default:
      return scalarOf(shape.type, name, parent)
  }
}

function scalarOf(type: Exclude<Shape['type'], 'list' | 'map' | 'object'>, name: string, parent: string): JsonValue {
  switch (type) {
    case 'nothing':
      return null
    case 'json':
      return typical(VALUES, name, parent) ?? {}
    case 'bytes':
      return 'aGVsbG8K'
    case 'text':
      return typical({ ...TEXTS, ...somebody() }, name, parent) ?? '…'
    case 'boolean':
      return !NEGATIVE.test(plain(name))
    default:
      return typical(NUMBERS, name, parent) ?? 1
  }
}

/** The value for a member, first as a part of its parent. */
function typical<T>(values: Readonly<Record<string, T>>, name: string, parent: string): T | undefined {
  return values[`${plain(parent)}.${plain(name)}`] ?? values[plain(name)]
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll('_', '')
}

/** Flags that say that something is not there or did not happen. */
const NEGATIVE = /^(nogpu|force|killed|hasmore|privilegeddocker|persisted|elasticenabled)$/

const ENSEMBLE = '8f6c1d0e4b7a4a52'

const TEXTS: Readonly<Record<string, string>> = {
  err: '',
  error: '',
  status: 'OK',
  id: ENSEMBLE,
  ensembleid: ENSEMBLE,
  orchestratorid: ENSEMBLE,
  nodeid: 'node1',
  allocation: 'alloc1',
  allocationname: 'alloc1',
  allocname: 'alloc1',
  allocsbyname: 'alloc1',
  allocationid: `${ENSEMBLE}_alloc1`,
  provider: SOMEBODY,
  createdat: '2026-01-01T12:00:00Z',
  updatedat: '2026-01-01T12:00:05Z',
  completedat: '2026-01-01T12:00:09Z',
  startedat: '2026-01-01T12:00:04Z',
  endedat: '2026-01-01T12:00:09Z',
  at: '2026-01-01T12:00:04Z',
  createdafter: '2026-01-01T00:00:00Z',
  createdbefore: '2026-01-02T00:00:00Z',
  updatedafter: '2026-01-01T00:00:00Z',
  updatedbefore: '2026-01-02T00:00:00Z',
  usedbefore: '2026-01-02T00:00:00Z',
  usedat: '2026-01-01T12:00:09Z',
  sortby: '-created_at',
  metadata: 'value',
  reachability: 'public',
  listenaddr: '/ip4/203.0.113.7/tcp/9000',
  logswrittento: `/home/user/nunet/deployments/${ENSEMBLE}/alloc1`,
  stdout: 'hello\n',
  stderr: '',
  stream: 'stdout',
  executor: 'docker',
  type: 'task',
  'execution.type': 'docker',
  'ram.type': 'DDR4',
  'disk.type': 'SSD',
  'peers/connect.status': 'CONNECTED',
  'allocations/list.status': 'running',
  'allocations.status': 'running',
  'allocations.id': `${ENSEMBLE}_node1.alloc1`,
  containerid: 'nunet-1f0c8d',
  owner: SOMEBODY,
  hostname: 'workshop',
  version: '0.5.0',
  'interfaces.name': 'eth0',
  ip: '192.0.2.7/24',
  macaddress: '02:00:00:00:00:07',
  'executors.name': 'docker',
  'executors.reason': 'the Docker service does not answer',
  executors: 'docker',
  errors: 'cannot read /proc/meminfo',
  lastsuccessfuloutboundqueryat: '2026-01-01T12:00:04Z',
  level: 'info',
  message: 'the network is up',
  url: 'https://telemetry.example',
  apmurl: 'https://apm.example',
  apikey: 'secret',
  'logger/config.notices': 'this counts until the next start',
  'deployment/status.status': 'Running',
  'allocation/status.status': 'running',
  'deployments.status': 'Running',
  'allocationinfo.status': 'running',
  'events.text': 'deployment started',
  'events.id': '5f0c1d2e-7',
  'events.type': 'allocation',
  'events.subject': `${ENSEMBLE}_alloc1`,
  'events.status': 'failed',
  'events.deployment': ENSEMBLE,
  'events.reason': 'the image does not exist',
  'node/events.after': '5f0c1d2e-6',
  'node/events.last': '5f0c1d2e-7',
  'node/events.stream': '3f8a1c5e9b7d2046a1c3e5f708192a3b',
  'gpus.model': 'Tesla T4',
  'gpus.vendor': 'NVIDIA',
  'gpus.pciaddress': '0000:01:00.0',
  'gpus.uuid': 'GPU-5fd4f087-86f3-4b6a-9a4c-0a6a6a2f6f3e',
  'cpu.model': 'AMD EPYC 7302',
  'cpu.vendor': 'AuthenticAMD',
  subnetip: '10.20.0.2',
  gatewayip: '10.20.0.1',
  asn: '3320',
  isp: 'Example',
  continent: 'EU',
  country: 'DE',
  city: 'Berlin',
  context: 'dms',
  notices: 'require entry 1 is not used: capability expired',
  gpus: '0:4',
  architecture: 'x86_64'
}

/** A token list for documentation: a grant, or its revocation. Signed by a key that is public knowledge. */
function tokensFor(action: 'delegate' | 'revoke', signature: string): JsonValue {
  const token = {
    act: action,
    iss: { uri: 'did:key:z6MkvDqGT54cXesYGvABpF1UapVNwjCqRcafi4Px6Thv5T3Z' },
    sub: { uri: SOMEBODY },
    aud: {},
    cap: ['/public'],
    nonce: 'BQUFBQUFBQUFBQUF',
    exp: 1_924_991_999_000_000_000n,
    sig: signature
  }
  return { tok: [{ dms: token }] }
}

const GRANT = tokensFor('delegate', 'xUlARi3qn6iJphBp8+tC99n9JbXQuZQCOziJKH75Sb+5RSh0b7qQpufASuNdrz4lJTUdl2tDPdYIiQwYJPm7AQ==')
const REVOCATION = tokensFor('revoke', '9jevEKcJxvIU+R3Yn/FbLNRqTqHQ9Ew6kt7hWBCvrUbZ63fZyVtXqbYOschKo0y+C54DYKuFd5hGuTAZ8UysAg==')

/** Members whose form the codec leaves open. */
const VALUES: Readonly<Record<string, JsonValue>> = {
  ensemble: { v1: {} },
  executors: { executor_type: 'docker' },
  status: 'Running',
  config: { rest: { port: 9999 } },
  fields: { logger: 'network' },
  params: { image: 'hello-world' },
  keys: [],
  volume: [],
  contracts: null,
  token: GRANT,
  require: GRANT,
  provide: GRANT,
  revoke: REVOCATION,
  'revoke/anchor.token': REVOCATION,
  'revoke/broadcast.token': REVOCATION,
  'broadcast/revocation.token': REVOCATION
}

const NUMBERS: Readonly<Record<string, number>> = {
  size: 4_294_967_296,
  vram: 4_294_967_296,
  cores: 2,
  threads: 4,
  clockspeed: 2_400_000_000,
  cachesize: 33_554_432,
  'ram.clockspeed': 3200,
  'offer.memory': 4_294_967_296,
  'offer.disk': 21_474_836_480,
  index: 0,
  offset: 0,
  stdoutoffset: 0,
  stderroffset: 0,
  nextoffset: 6,
  stdoutnextoffset: 6,
  stderrnextoffset: 0,
  maxbytes: 65_536,
  totalsize: 6,
  limit: 50,
  rtt: 12,
  rttus: 12_345,
  exitcode: 0,
  nonce: 1,
  portmapping: 8080,
  'topics.timeinmesh': 5_000_000_000,
  'score.score': 5.00027,
  appspecificscore: 5,
  ipcolocationfactor: 0,
  behaviourpenalty: 0,
  invalidmessagedeliveries: 0,
  uptimeseconds: 86_400,
  residentbytes: 88_080_384,
  heapusedbytes: 33_554_432,
  heaptotalbytes: 41_943_040,
  eventlooputilization: 0.012,
  handles: 12,
  interval: 5,
  omitted: 0,
  total: 1
}

/** Names that stand for the keys of a map. */
const KEYS: Readonly<Record<string, string>> = {
  allocations: 'alloc1',
  allocationinfo: `${ENSEMBLE}_alloc1`,
  portmapping: '20000',
  topics: '/nunet/hello',
  'node/metrics.network': 'framesSent',
  'node/metrics.counters': 'messages.accepted',
  'node/metrics.allocations': 'running',
  'node/metrics.deployments': 'Running',
  provisionscripts: 'setup'
}
