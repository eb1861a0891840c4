import { define } from './behavior.ts'
import { integer, list, map, maybe, measured, member, nothing, number, object, text } from './codec.ts'
import { did, instant } from './common.ts'
import { resources } from './resources.ts'

/** Topic on which nodes greet (B §4.2). */
export const HELLO_TOPIC = '/nunet/hello'

/** Peers of one reply: more than a host connects to. */
const MAX_PEERS = 10_000

const helloReply = object({ did: member('DID', did) })

/** The handshake between nodes (B §4.1). */
export const hello = define({
  name: '/public/hello',
  callers: 'public',
  summary: 'Answers with the DID of the node.',
  request: nothing,
  reply: helloReply
})

/** The greeting to everybody; each receiver answers by unicast. */
export const broadcastHello = define({
  name: '/broadcast/hello',
  topic: HELLO_TOPIC,
  callers: 'broadcast',
  summary: 'Greets every node on the topic; each answers with its DID.',
  request: nothing,
  reply: helloReply
})

/** Public facts about a node. */
export const publicStatus = define({
  name: '/public/status',
  callers: 'public',
  summary:
    'Whether the node works (`OK` or `ERROR`), and what the machine has; without the serial numbers and bus addresses of its cards.',
  request: nothing,
  reply: object({ status: member('Status', text()), resources: member('Resources', resources) })
})

/** The node's own id and addresses. */
export const peersSelf = define({
  name: '/dms/node/peers/self',
  callers: 'root',
  summary:
    'Peer id of the node, the addresses under which it can be dialled, best first and joined with ", ", and whether others can dial it as far as they told: `unknown`, `public` or `private`.',
  request: nothing,
  reply: object({
    id: member('id', text()),
    listenAddress: member('listen_addr', text(65_536)),
    did: maybe('did', text()),
    reachability: maybe('reachability', text(32))
  })
})

const CONNECTED_PEER = object({
  id: member('peer_id', text()),
  did: maybe('did', text(512)),
  connection: maybe('connection', text(16))
})

/** Connected peers, under both names that clients look for (E §3.2). */
export const peersList = define({
  name: '/dms/node/peers/list',
  callers: 'root',
  summary: 'Peers that are connected now, in the order of their ids.',
  eras: 'The Go implementation lists all peers that it ever heard of, and writes `Peers` only.',
  request: nothing,
  reply: object({
    upper: member('Peers', list(text(), MAX_PEERS)),
    lower: member('peers', list(CONNECTED_PEER, MAX_PEERS))
  })
})

/** Round trip to a peer, in whole milliseconds as clients expect, with the exact value beside it. */
export const peersPing = define({
  name: '/dms/node/peers/ping',
  callers: 'root',
  summary: 'Round trip to a peer; `Error` says why there is none. The own peer id is an error.',
  request: object({ host: member('Host', text(256)) }),
  reply: object({
    error: member('Error', text()),
    rtt: member('RTT', measured('ms', integer())),
    rttMicros: maybe('RTT_us', measured('µs', integer()))
  })
})

/** Dials a multiaddr. */
export const peersConnect = define({
  name: '/dms/node/peers/connect',
  callers: 'root',
  summary: 'Connects to a multiaddr that ends in /p2p/<peer id>.',
  request: object({ address: member('Address', text(1024)) }),
  reply: object({ status: member('Status', text()), error: member('Error', text()), peer: maybe('peer', text()) })
})

/** The routing table. */
export const peersDht = define({
  name: '/dms/node/peers/dht',
  callers: 'root',
  summary: 'The peers through which this node searches the distributed hash table, in the order of their ids.',
  eras: 'The Go implementation writes the structure of its bucket library, with more times and a mode.',
  request: nothing,
  reply: object({
    peers: member(
      'Peers',
      list(object({ id: member('Id', text()), answeredAt: maybe('LastSuccessfulOutboundQueryAt', instant) }), MAX_PEERS)
    )
  })
})

const topicScore = object({
  timeInMesh: member('TimeInMesh', measured('ns', number)),
  firstDeliveries: member('FirstMessageDeliveries', number),
  meshDeliveries: member('MeshMessageDeliveries', number),
  invalidDeliveries: member('InvalidMessageDeliveries', number)
})

/** The gossip scores. */
export const peersScore = define({
  name: '/dms/node/peers/score',
  callers: 'root',
  summary:
    'How each connected peer is scored as a carrier of broadcasts, and of what its score is made. `AppSpecificScore` is 5 after hellos both ways, 1 for any other DMS, 0 for the rest; `Topics` has those on which something was counted.',
  request: nothing,
  reply: object({
    score: member(
      'Score',
      map(
        object({
          score: member('Score', number),
          topics: member('Topics', map(topicScore, 1024, 'topic')),
          application: member('AppSpecificScore', number),
          colocation: member('IPColocationFactor', number),
          penalty: member('BehaviourPenalty', number)
        }),
        MAX_PEERS,
        'peer id'
      )
    )
  })
})
