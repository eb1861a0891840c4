import { define } from './behavior.ts'
import { flag, integer, json, list, map, maybe, measured, member, nothing, number, object, text, type ValueOf } from './codec.ts'
import { instant } from './common.ts'
import { resources } from './resources.ts'

/** Topic on which nodes are asked for their status (B §4.2). */
export const STATUS_TOPIC = '/nunet/status'

const status = object({
  hostname: member('hostname', text(256)),
  did: member('did', text(512)),
  version: maybe('version', text(64)),
  network: member(
    'network',
    object({
      interfaces: member(
        'interfaces',
        list(
          object({ name: member('name', text(64)), ip: member('ip', list(text(64), 64)), mac: member('mac_address', text(64)) })
        )
      ),
      p2p: member(
        'p2p',
        object({
          id: member('id', text(256)),
          listenAddress: member('listen_addr', text(65_536)),
          reachability: maybe('reachability', text(32))
        })
      )
    })
  ),
  onboarded: member('onboarded', flag),
  resources: member(
    'resources',
    object({
      total: member('total', resources),
      onboarded: member('onboarded', resources),
      allocated: member('allocated', resources),
      free: member('free', resources)
    })
  ),
  executors: maybe(
    'executors',
    list(object({ name: member('name', text(64)), available: member('available', flag), reason: maybe('reason', text()) }), 64)
  ),
  config: member('config', json),
  errors: member('errors', list(text(), 64))
})

/** What the owner of a node is told of it. */
export type NodeStatus = ValueOf<typeof status>

/** Everything about the own node. */
export const nodeStatus = define({
  name: '/dms/node/status',
  callers: 'root',
  summary:
    'Everything about the node, under its peer id: machine, addresses, what is lent and used, executors, what does not work, and the configuration with its secrets masked.',
  request: nothing,
  reply: map(status, 64, 'peer id')
})

/** What anybody may know: this form has no place for anything else (B §11.1, 4). */
const publicFacts = object({
  did: member('did', text(512)),
  version: maybe('version', text(64)),
  network: member('network', object({ p2p: member('p2p', object({ id: member('id', text(256)) })) })),
  onboarded: member('onboarded', flag),
  resources: member('resources', object({ onboarded: member('onboarded', resources), free: member('free', resources) })),
  executors: maybe('executors', list(text(64), 64))
})

/** What every member of the network may know of a node. */
export type PublicFacts = ValueOf<typeof publicFacts>

/** The question to everybody; each receiver answers by unicast. */
export const broadcastStatus = define({
  name: '/broadcast/dms/status',
  topic: STATUS_TOPIC,
  callers: 'broadcast',
  summary: 'Asks every node on the topic for its public facts: no name, no address, no configuration.',
  eras: 'The Go implementation answers with everything that `/dms/node/status` has, its configuration included.',
  request: nothing,
  reply: map(publicFacts, 64, 'peer id')
})

const counts = map(number, 2048)

/** Counts and measurements. */
export const nodeMetrics = define({
  name: '/dms/node/metrics',
  callers: 'root',
  summary:
    'What the node counted since its start (messages by outcome, traffic), its jobs and deployments by state, and what its process uses.',
  eras: 'Ours: the Go implementation has no such behaviour.',
  request: nothing,
  reply: object({
    ok: member('OK', flag),
    process: member(
      'process',
      object({
        uptime: member('uptime_seconds', measured('s', number)),
        resident: member('resident_bytes', measured('bytes', integer())),
        heapUsed: member('heap_used_bytes', measured('bytes', integer())),
        heapTotal: member('heap_total_bytes', measured('bytes', integer())),
        loopUse: member('event_loop_utilization', number),
        handles: member('handles', integer())
      })
    ),
    peers: member('peers', integer()),
    network: member('network', counts),
    counters: member('counters', counts),
    allocations: member('allocations', counts),
    deployments: member('deployments', counts)
  })
})

/** Settings of the log, in the order in which they are applied (B §7.1). */
export const loggerConfig = define({
  name: '/dms/node/logger/config',
  callers: 'root',
  summary:
    'Sets the least level of the log, at once and until the next start. Settings are applied in the order of the request below, up to the first error; those of services that this node does not send its log to are refused by name.',
  request: object({
    interval: maybe('interval', measured('s', integer())),
    url: maybe('url', text(2048)),
    level: maybe('level', text(32)),
    apiKey: maybe('api_key', text()),
    apmUrl: maybe('apm_url', text(2048)),
    elasticEnabled: maybe('elastic_enabled', flag)
  }),
  reply: object({
    ok: member('OK', flag),
    error: maybe('error', text()),
    level: maybe('level', text(32)),
    persisted: maybe('persisted', flag),
    notices: maybe('notices', list(text(1024), 16))
  })
})

/** The last events. */
export const flightRecorder = define({
  name: '/dms/debug/flightrec',
  callers: 'root',
  summary:
    'The last things that happened on this node, from memory, oldest first and without secrets: also when no log is written. At most `limit` of them (200 when missing), none below `level`.',
  eras: 'What the Go implementation answers beside `Error` is not known.',
  request: object({ limit: maybe('limit', integer({ min: 0, max: 1000 })), level: maybe('level', text(32)) }),
  reply: object({
    error: member('Error', text()),
    events: member(
      'events',
      list(
        object({
          at: member('at', instant),
          level: member('level', text(32)),
          message: member('message', text(16_384)),
          fields: member('fields', json)
        }),
        1000
      )
    ),
    omitted: maybe('omitted', integer())
  })
})
