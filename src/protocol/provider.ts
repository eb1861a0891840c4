import { encodeGoJson, isJsonObject, type JsonValue, ok, utf8 } from '../base/index.ts'
import { define, type PublicBehavior } from './behavior.ts'
import {
  binary,
  flag,
  integer,
  json,
  list,
  map,
  maybe,
  member,
  nothing,
  type ObjectOf,
  object,
  text,
  type ValueOf,
  type WireCodec
} from './codec.ts'
import { done, handle } from './common.ts'
import { resources } from './resources.ts'

/** Topic on which bids are asked for (B §4.2). */
export const DEPLOYMENT_TOPIC = '/nunet/deployment'

/** Path of the behaviour under which an orchestrator receives bids. */
export const BID_BEHAVIOR = '/dms/deployment/bid'

const ensembleId = text(128)
const allocationId = text(256)

const locationEntry = object({
  continent: maybe('continent', text(64), 'region'),
  country: maybe('country', text(64)),
  city: maybe('city', text(128)),
  asn: maybe('asn', text(64)),
  isp: maybe('isp', text(128))
})

const requestItem = object({
  nodeId: member('node_id', text(256), 'NodeID'),
  executors: member('executors', list(json, 16)),
  resources: member('resources', resources),
  location: maybe(
    'location',
    object({ accept: member('accept', list(locationEntry)), reject: member('reject', list(locationEntry)) })
  ),
  publicPorts: maybe(
    'public_ports',
    object({ static: member('static', list(integer(), 64)), dynamic: member('dynamic', integer({ min: 0, max: 64 })) })
  ),
  requirements: maybe('general_requirements', object({ privilegedDocker: member('privileged_docker', flag) })),
  contracts: maybe('contracts', json)
})

/** A place of the world as a bid names it. */
export const location = object({
  continent: member('continent', text(64)),
  country: member('country', text(64)),
  city: member('city', text(128))
})

/** A random text of one request: a bid that repeats it, under its signature, is of no earlier one. */
const challenge = text(64)

const bidMembers = {
  ensembleId: member('EnsembleID', ensembleId),
  nodeId: member('NodeID', text(256)),
  peer: member('Peer', text(256)),
  location: member('Location', location),
  handle: member('Handle', handle),
  // Ours: what the request asked for. Left out for orchestrators that do not ask, for a Go node would not find it under the signature.
  challenge: maybe('Challenge', challenge),
  signature: member('Signature', binary(256))
} as const

const bidBody = object(bidMembers)

/** A provider's offer to run one ensemble node, signed with the key of its peer id. */
export interface WireBid extends ObjectOf<typeof bidMembers> {
  /** The bytes under the signature, rebuilt from what arrived (C §16, 6). */
  readonly signedBytes: Uint8Array
}

/** A bid without its signature. */
export type UnsignedBid = Omit<WireBid, 'signature' | 'signedBytes'>

/** The bytes that a provider signs: `dms-bid-` and the JSON with `Signature` null (C §3.3). */
export function bidSignedBytes(bid: UnsignedBid): Uint8Array {
  return signedBytesOf(bidBody.encode({ ...bid, signature: new Uint8Array() }))
}

function signedBytesOf(body: unknown): Uint8Array {
  return utf8(`dms-bid-${encodeGoJson({ ...(body as object), Signature: null })}`)
}

const bid: WireCodec<WireBid> = {
  shape: { type: 'object', members: [{ name: 'V1', optional: false, shape: bidBody.shape }] },
  decode(wire) {
    const body: JsonValue | undefined = isJsonObject(wire) ? (wire['V1'] ?? wire['v1']) : undefined
    if (!isJsonObject(body)) return { ok: false, error: [{ path: 'V1', message: 'is missing' }] }
    const decoded = bidBody.decode(body)
    return decoded.ok ? ok({ ...decoded.value, signedBytes: signedBytesOf(body) }) : decoded
  },
  encode: (value) => ({ V1: bidBody.encode(value) })
}

/** Asks for bids: unicast to a pinned peer, or to everybody on the topic (C §8.3, §9.1). */
export const bidRequest = define({
  name: '/dms/deployment/request',
  topic: DEPLOYMENT_TOPIC,
  callers: 'deploy',
  summary: 'Asks for bids. Who fits answers with a signed bid, everybody else says nothing.',
  request: object({
    id: member('id', ensembleId),
    nonce: member('nonce', integer({ min: 0 })),
    request: member('request', list(object({ v1: maybe('V1', requestItem) }), 256)),
    peerExclusion: member('peer_exclusion', list(text(256), 4096)),
    challenge: maybe('challenge', challenge)
  }),
  reply: bid
})

/** Receives a bid at the orchestrator. */
export const bidReply = define({
  name: BID_BEHAVIOR,
  callers: 'deploy',
  summary: 'A provider offers to run one node of an ensemble.',
  request: bid,
  reply: nothing
})

/** Promises resources for one allocation until the bid expires (C §9.2). */
export const commit = define({
  name: '/dms/deployment/commit',
  callers: 'deploy',
  summary:
    'Promises resources and ports for one allocation; needs a live bid. Asking again changes nothing. `PortMapping` has public ports and the private ones to which they lead, `DynamicPorts` private ones for which the provider chooses; the reply has all of them.',
  request: object({
    ensembleId: member('EnsembleID', ensembleId),
    allocation: member('AllocationName', allocationId),
    nodeId: member('NodeID', text(256)),
    resources: member('Resources', resources),
    ports: member('PortMapping', map(integer(), 64)),
    /** Ours: Go nodes write a dynamic port as the public port 0, of which a map can have one. */
    dynamicPorts: maybe('DynamicPorts', list(integer(), 64))
  }),
  // Ours: the ports. Go nodes ignore the member, and do not send it.
  reply: object({ ok: member('OK', flag), error: member('Error', text()), ports: maybe('PortMapping', map(integer(), 64)) })
})

const allocationConfig = object({
  type: member('Type', text(32)),
  executor: member('Executor', text(32)),
  resources: member('Resources', resources),
  execution: member('Execution', object({ type: member('type', text(32)), params: member('params', json) })),
  scripts: member('ProvisionScripts', map(binary(262_144))),
  /** Ours: the order in which they run; Go nodes do not say it, and JSON maps have none. */
  scriptOrder: maybe('ProvisionOrder', list(text(256), 1024)),
  keys: member('Keys', json),
  volume: member('Volume', json),
  contracts: member('Contracts', json)
})

/** What one allocation runs, as a provider receives it. */
export type AllocationConfig = ValueOf<typeof allocationConfig>

/** Turns commits into allocation actors (C §9.3). */
export const allocate = define({
  name: '/dms/deployment/allocate',
  callers: 'deploy',
  summary: 'Creates one actor per committed allocation and answers with their handles. Asking again changes nothing.',
  request: object({
    ensembleId: member('EnsembleID', ensembleId),
    nodeId: member('NodeID', text(256)),
    allocations: member('Allocations', map(allocationConfig, 256))
  }),
  reply: object({ ok: member('OK', flag), error: member('Error', text()), allocations: member('Allocations', map(handle, 256)) })
})

/** Gives commits and allocations back (C §9.4). */
export const revert = define({
  name: '/dms/deployment/revert',
  callers: 'deploy',
  summary: 'Gives commits and allocations back; unknown ones are ignored.',
  request: object({ ensembleId: member('EnsembleID', ensembleId), allocations: member('AllocsByName', list(allocationId, 256)) }),
  reply: done
})

/** Starts an allocation (C §9.5). */
export const allocationStart = define({
  name: '/dms/allocation/start',
  callers: 'allocation',
  summary: 'Starts the workload of an allocation. Asking again changes nothing.',
  request: object({
    subnetIp: member('SubnetIP', text(64)),
    gatewayIp: member('GatewayIP', text(64)),
    ports: member('PortMapping', map(integer()))
  }),
  reply: done
})

/** Where an allocation stands: ours, asked by the orchestrator to supervise and after restarts. */
export const allocationStatus = define({
  name: '/dms/allocation/status',
  callers: 'allocation',
  summary: 'Where an allocation stands: pending, running, completed, failed, stopped or terminated, and its exit code.',
  request: nothing,
  reply: object({
    status: member('status', text(32)),
    error: member('error', text()),
    exitCode: maybe('exit_code', integer()),
    startedAt: maybe('started_at', text(64)),
    endedAt: maybe('ended_at', text(64))
  })
})

const logsRequest = object({
  allocation: member('AllocName', allocationId),
  stream: member('Stream', text(16)),
  offset: member('offset', integer({ min: 0 })),
  maxBytes: member('max_bytes', integer({ min: 0, max: 524_288 }))
})

const logsReply = object({
  offset: member('offset', integer()),
  nextOffset: member('next_offset', integer()),
  totalSize: member('total_size', integer()),
  eof: member('eof', flag),
  data: member('data', binary(524_288))
})

/** A piece of the output of an allocation (B §7.1 new form; C §3.1). */
export function allocationLogs(ensemble: string): PublicBehavior<ValueOf<typeof logsRequest>, ValueOf<typeof logsReply>> {
  return define({
    name: `/dms/ensemble/${ensemble}/allocation/logs`,
    callers: 'ensemble',
    summary: 'A piece of the output of an allocation, at most 512 KiB.',
    request: logsRequest,
    reply: logsReply
  })
}

const shutdownRequest = object({ allocationId: member('AllocationID', allocationId) })

/** Ends an allocation and frees what it holds. */
export function allocationShutdown(ensemble: string): PublicBehavior<ValueOf<typeof shutdownRequest>, ValueOf<typeof done>> {
  return define({
    name: `/dms/ensemble/${ensemble}/allocation/shutdown`,
    callers: 'ensemble',
    summary: 'Ends an allocation and frees what it holds. Asking again changes nothing.',
    request: shutdownRequest,
    reply: done
  })
}

/** An allocation asks whether its orchestrator still exists: ours; any answer, even that it is unknown, says yes. */
export const orchestratorPresence = define({
  name: '/dms/orchestrator/presence',
  callers: 'ensemble',
  summary: 'Says that the orchestrator of a deployment still exists; asked by an allocation that has not heard of it for a day.',
  request: nothing,
  reply: done
})

/** An allocation tells its orchestrator that its task has ended (C §3.2). */
export const taskTermination = define({
  name: '/dms/orchestrator/task-termination',
  callers: 'ensemble',
  summary: 'A task has ended: completed or failed, with exit code and the last output.',
  request: object({
    allocationId: member('allocation_id', allocationId),
    status: member('status', text(32)),
    error: member(
      'error',
      object({ message: member('err', text()), exitCode: member('exit_code', integer()), killed: member('killed', flag) })
    ),
    stdout: member('stdout', binary(524_288)),
    stderr: member('stderr', binary(524_288))
  }),
  reply: done
})
