import { define } from './behavior.ts'
import { integer, list, maybe, member, nothing, object, text } from './codec.ts'
import { did } from './common.ts'
import { resources } from './resources.ts'

/** Topic on which nodes greet (B §4.2). */
export const HELLO_TOPIC = '/nunet/hello'

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
  summary: 'Whether the node works, and what the machine has.',
  request: nothing,
  reply: object({ status: member('Status', text()), resources: member('Resources', resources) })
})

/** The node's own id and addresses. */
export const peersSelf = define({
  name: '/dms/node/peers/self',
  callers: 'root',
  summary: 'Peer id of the node and the addresses under which it can be dialled, joined with ", ".',
  request: nothing,
  reply: object({ id: member('id', text()), listenAddress: member('listen_addr', text(65_536)), did: maybe('did', text()) })
})

/** Connected peers, under both names that clients look for (E §3.2). */
export const peersList = define({
  name: '/dms/node/peers/list',
  callers: 'root',
  summary: 'Peers that are connected now.',
  request: nothing,
  reply: object({
    upper: member('Peers', list(text(), 10_000)),
    lower: member('peers', list(object({ id: member('peer_id', text()) }), 10_000))
  })
})

/** Round trip to a peer, in whole milliseconds as clients expect, with the exact value beside it. */
export const peersPing = define({
  name: '/dms/node/peers/ping',
  callers: 'root',
  summary: 'Round trip to a peer: RTT in whole milliseconds, RTT_us in microseconds.',
  request: object({ host: member('Host', text(256)) }),
  reply: object({ error: member('Error', text()), rtt: member('RTT', integer()), rttMicros: maybe('RTT_us', integer()) })
})

/** Dials a multiaddr. */
export const peersConnect = define({
  name: '/dms/node/peers/connect',
  callers: 'root',
  summary: 'Connects to a multiaddr that ends in /p2p/<peer id>.',
  request: object({ address: member('Address', text(1024)) }),
  reply: object({ status: member('Status', text()), error: member('Error', text()), peer: maybe('peer', text()) })
})
