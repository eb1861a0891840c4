import { type Millis, seconds } from '../base/index.ts'
import type { FlagRules, FlagSpec } from './command.ts'

/** How `nunet actor cmd` offers one behaviour; `payloads.ts` builds what is sent. */
export interface BehaviorSpec {
  readonly name: string
  readonly summary: string
  /** A question to one node without a payload: needs no code of the protocol, so that it starts fast (E §2.8). */
  readonly isPlain?: true
  readonly flags?: readonly FlagSpec[]
  readonly rules?: FlagRules
  readonly examples?: readonly string[]
  /** Life of the message when neither `--timeout` nor `--expiry` is given; 30 s when missing. */
  readonly timeout?: Millis
}

const deploymentId: FlagSpec = { name: 'id', short: 'i', type: 'text', doc: 'Id of the deployment.', required: true }

const capToken: FlagSpec = { name: 'token', type: 'text', value: 'token', doc: 'The token; - reads stdin.', required: true }

const anyAnchor: readonly FlagSpec[] = [
  { name: 'root', type: 'text', value: 'did', doc: 'A root anchor.' },
  { name: 'require', type: 'text', value: 'token', doc: 'A require anchor; - reads stdin.' },
  { name: 'provide', type: 'text', value: 'token', doc: 'A provide anchor; - reads stdin.' },
  { name: 'revoke', type: 'text', value: 'token', doc: 'A revocation; - reads stdin.' }
]

const oneAnchor: FlagRules = {
  oneRequired: [['root', 'require', 'provide', 'revoke']],
  exclusive: [['root', 'require', 'provide', 'revoke']]
}

const offerFlags: readonly FlagSpec[] = [
  { name: 'ram', short: 'R', type: 'text', value: 'size', doc: 'Memory: GiB, or text such as 512MiB.' },
  { name: 'cpu', short: 'C', type: 'number', value: 'cores', doc: 'Processor cores, with fractions.' },
  { name: 'disk', short: 'D', type: 'text', value: 'size', doc: 'Disk: GiB, or text such as 512MiB.' }
]

const wholeOffer: FlagRules = { together: [['ram', 'cpu', 'disk']], oneRequired: [['ram', 'cpu', 'disk']] }

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

const whenDoc = 'as 2026-01-31T12:00:00Z, 2026-01-31, 90m or 7d'

/** The behaviours that `nunet actor cmd` knows, with their flags (B §9.1, D §2.3). */
export const BEHAVIORS: readonly BehaviorSpec[] = [
  { name: '/public/hello', summary: 'Asks a node for its DID.', isPlain: true },
  { name: '/public/status', summary: 'Asks a node whether it works and what it has.', isPlain: true },
  { name: '/broadcast/hello', summary: 'Greets all nodes; prints the list of answers.' },
  { name: '/broadcast/dms/status', summary: 'Asks all nodes for their public facts; prints the list of answers.' },
  { name: '/dms/node/peers/list', summary: 'Lists the peers that are connected.', isPlain: true },
  { name: '/dms/node/peers/self', summary: 'Shows the peer id and the addresses of the node.', isPlain: true },
  {
    name: '/dms/node/peers/ping',
    summary: 'Measures the round trip to a peer.',
    flags: [{ name: 'host', short: 'H', type: 'text', value: 'peer', doc: 'Id of the peer.', required: true }],
    examples: ['nunet actor cmd -c dms /dms/node/peers/ping --host <peer>']
  },
  {
    name: '/dms/node/peers/connect',
    summary: 'Connects to a peer.',
    flags: [{ name: 'address', short: 'a', type: 'text', value: 'multiaddr', doc: 'Address with the peer id.', required: true }],
    examples: ['nunet actor cmd -c dms /dms/node/peers/connect --address /ip4/203.0.113.7/tcp/9000/p2p/<peer>']
  },
  { name: '/dms/node/peers/dht', summary: 'Lists the peers through which the network is searched.', isPlain: true },
  { name: '/dms/node/peers/score', summary: 'Shows how peers are scored as carriers of broadcasts.', isPlain: true },
  {
    name: '/dms/node/events',
    summary: 'Shows what happened on the node lately; nunet events shows it while it happens.',
    flags: [
      { name: 'after', type: 'text', value: 'id', doc: 'Only what happened after this event.' },
      { name: 'limit', type: 'integer', value: 'number', doc: 'Most events of one reply; 100 when not given.' }
    ],
    examples: ['nunet actor cmd -c dms /dms/node/events --limit 10']
  },
  {
    name: '/dms/node/onboarding/onboard',
    summary: 'Lends a part of the machine; again replaces the offer.',
    flags: [
      ...offerFlags,
      { name: 'gpus', short: 'G', type: 'list', value: 'index:vram', doc: 'A graphics card and its memory in GiB.' },
      { name: 'no-gpu', short: 'N', type: 'switch', doc: 'Lends no graphics card.' },
      {
        name: 'max',
        type: 'switch',
        doc: 'Lends as much as the limits allow, of all graphics cards too unless others are named.'
      }
    ],
    rules: {
      together: [['ram', 'cpu', 'disk']],
      oneRequired: [['ram', 'cpu', 'disk', 'max']],
      exclusive: [
        ['gpus', 'no-gpu'],
        ['max', 'cpu'],
        ['max', 'ram'],
        ['max', 'disk']
      ]
    },
    examples: ['nunet actor cmd -c dms /dms/node/onboarding/onboard --ram 4 --cpu 2 --disk 20 --no-gpu']
  },
  {
    name: '/dms/node/onboarding/resource',
    summary: 'Replaces the offer of a machine that lends already.',
    flags: offerFlags,
    rules: wholeOffer,
    examples: ['nunet actor cmd -c dms /dms/node/onboarding/resource --ram 4 --cpu 2 --disk 20']
  },
  {
    name: '/dms/node/onboarding/offboard',
    summary: 'Takes the offer back.',
    flags: [
      { name: 'drain', type: 'switch', doc: 'While jobs run: takes no new ones, and the offer back when the last has ended.' },
      { name: 'force', short: 'f', type: 'switch', doc: 'Taken for older scripts; jobs that run are never cut off by it.' }
    ]
  },
  { name: '/dms/node/onboarding/status', summary: 'Tells whether the machine lends anything.', isPlain: true },
  { name: '/dms/node/resources/free', summary: 'Shows what is lent and not in use.', isPlain: true },
  { name: '/dms/node/resources/allocated', summary: 'Shows what running allocations hold.', isPlain: true },
  { name: '/dms/node/resources/onboarded', summary: 'Shows what is lent.', isPlain: true },
  { name: '/dms/node/hardware/spec', summary: 'Shows what the machine has.', isPlain: true },
  { name: '/dms/node/hardware/usage', summary: 'Shows what the machine uses now.', isPlain: true },
  {
    name: '/dms/node/allocations/list',
    summary: 'Lists the jobs of others on this machine.',
    flags: [
      {
        name: 'status',
        type: 'list',
        value: 'name',
        doc: 'Only in this state.',
        values: ['pending', 'running', 'stopped', 'completed', 'failed', 'terminated']
      },
      { name: 'limit', type: 'integer', value: 'number', doc: 'Most allocations on a page.' },
      { name: 'offset', type: 'integer', value: 'number', doc: 'How many to leave out before.' }
    ],
    examples: ['nunet actor cmd -c dms /dms/node/allocations/list --status running']
  },
  {
    name: '/dms/node/artifacts/list',
    summary: 'Lists the images and artefacts that the node keeps for its jobs.',
    flags: [
      { name: 'limit', type: 'integer', value: 'number', doc: 'Most artefacts on a page.' },
      { name: 'offset', type: 'integer', value: 'number', doc: 'How many to leave out before.' }
    ],
    examples: ['nunet actor cmd -c dms /dms/node/artifacts/list --limit 10']
  },
  {
    name: '/dms/node/artifacts/prune',
    summary: 'Removes images and artefacts that no job uses.',
    flags: [
      { name: 'used-before', type: 'text', value: 'time', doc: `Only what was last used before, ${whenDoc}.` },
      {
        name: 'down-to',
        type: 'text',
        value: 'size',
        doc: 'The least recently used, until no more is left: GiB, or text such as 512MiB.'
      }
    ],
    timeout: seconds(120),
    examples: ['nunet actor cmd -c dms /dms/node/artifacts/prune --used-before 7d']
  },
  {
    name: '/dms/node/volumes/list',
    summary: 'Lists the named volumes that jobs left on the machine.',
    flags: [
      { name: 'limit', type: 'integer', value: 'number', doc: 'Most volumes on a page.' },
      { name: 'offset', type: 'integer', value: 'number', doc: 'How many to leave out before.' }
    ],
    examples: ['nunet actor cmd -c dms /dms/node/volumes/list']
  },
  {
    name: '/dms/node/volumes/delete',
    summary: 'Deletes a named volume and what is in it.',
    flags: [
      { name: 'owner', type: 'text', value: 'did', doc: 'Whose jobs may use it.', required: true },
      { name: 'name', type: 'text', value: 'name', doc: 'Its name.', required: true }
    ],
    examples: ['nunet actor cmd -c dms /dms/node/volumes/delete --owner <did> --name counter']
  },
  { name: '/dms/node/status', summary: 'Shows everything about the node; secrets are masked.', isPlain: true },
  { name: '/dms/node/metrics', summary: 'Shows what the node counted, and what its process uses.', isPlain: true },
  {
    name: '/dms/node/logger/config',
    summary: 'Sets the level of the log until the next start.',
    flags: [
      { name: 'level', short: 'l', type: 'text', value: 'level', doc: 'Least level that is written.', values: LOG_LEVELS },
      { name: 'url', short: 'u', type: 'text', value: 'url', doc: 'Elasticsearch service; not in this version.' },
      { name: 'interval', short: 'i', type: 'integer', value: 'seconds', doc: 'How often lines are sent; not in this version.' },
      { name: 'api-key', type: 'text', value: 'key', doc: 'Key for Elasticsearch; not in this version.' },
      { name: 'apm-url', type: 'text', value: 'url', doc: 'Service for traces; not in this version.' },
      { name: 'enable-elastic', type: 'switch', doc: 'Sends the log to Elasticsearch; not in this version.' }
    ],
    rules: { oneRequired: [['level', 'url', 'interval', 'api-key', 'apm-url', 'enable-elastic']] },
    examples: ['nunet actor cmd -c dms /dms/node/logger/config --level debug']
  },
  {
    name: '/dms/debug/flightrec',
    summary: 'Shows the last events of the node, from its memory.',
    flags: [
      { name: 'limit', type: 'integer', value: 'number', doc: 'Most events; otherwise 200.' },
      { name: 'level', short: 'l', type: 'text', value: 'level', doc: 'None below this level.', values: LOG_LEVELS }
    ],
    examples: ['nunet actor cmd -c dms /dms/debug/flightrec --level warn']
  },
  {
    name: '/dms/node/deployment/new',
    summary: 'Deploys an ensemble; prints its id.',
    flags: [
      { name: 'spec-file', short: 'f', type: 'text', value: 'path', doc: 'The ensemble, YAML or JSON.', default: 'ensemble.yaml' }
    ],
    timeout: seconds(120),
    examples: ['nunet actor cmd -c dms /dms/node/deployment/new -f ensemble.yaml']
  },
  {
    name: '/dms/node/deployment/list',
    summary: 'Lists deployments.',
    flags: [
      { name: 'filter', short: 'f', type: 'list', value: 'key=value', doc: 'Only with this metadata.' },
      { name: 'status', type: 'list', value: 'name', doc: 'Only in this state.' },
      { name: 'limit', type: 'integer', value: 'number', doc: 'Most deployments on a page.' },
      { name: 'offset', type: 'integer', value: 'number', doc: 'How many to leave out before.' },
      { name: 'created-after', type: 'text', value: 'time', doc: `Only younger ones, ${whenDoc}.` },
      { name: 'created-before', type: 'text', value: 'time', doc: `Only older ones, ${whenDoc}.` },
      { name: 'updated-after', type: 'text', value: 'time', doc: `Only what changed later, ${whenDoc}.` },
      { name: 'updated-before', type: 'text', value: 'time', doc: `Only what changed earlier, ${whenDoc}.` },
      {
        name: 'sort',
        type: 'text',
        value: 'key',
        doc: 'created_at, updated_at or status; with - for descending.',
        default: '-created_at',
        values: ['-created_at', 'created_at', '-updated_at', 'updated_at', '-status', 'status']
      }
    ],
    examples: ['nunet actor cmd -c dms /dms/node/deployment/list --status running --created-after 7d --sort -created_at']
  },
  {
    name: '/dms/node/deployment/status',
    summary: 'Shows where a deployment stands, and how it came there.',
    flags: [deploymentId, { name: 'include-usage', short: 'u', type: 'switch', doc: 'With usage.' }],
    examples: ['nunet actor cmd -c dms /dms/node/deployment/status -i <id>']
  },
  {
    name: '/dms/node/deployment/manifest',
    summary: 'Shows what runs where.',
    flags: [deploymentId],
    examples: ['nunet actor cmd -c dms /dms/node/deployment/manifest -i <id>']
  },
  {
    name: '/dms/node/deployment/logs',
    summary: 'Fetches the output of an allocation.',
    flags: [
      deploymentId,
      { name: 'allocation', short: 'a', type: 'text', value: 'name', doc: 'As in the manifest: node.allocation.', required: true }
    ],
    examples: ['nunet actor cmd -c dms /dms/node/deployment/logs -i <id> -a node1.alloc1']
  },
  {
    name: '/dms/node/deployment/outputs',
    summary: 'Lists the outputs that were fetched of ended jobs.',
    flags: [
      deploymentId,
      { name: 'allocation', short: 'a', type: 'text', value: 'name', doc: 'Only those of one allocation: node.allocation.' },
      { name: 'limit', type: 'number', doc: 'Files on the page, at most 256.' },
      { name: 'offset', type: 'number', doc: 'Where the page begins.' }
    ],
    examples: ['nunet actor cmd -c dms /dms/node/deployment/outputs -i <id>']
  },
  {
    name: '/dms/node/deployment/outputs/read',
    summary: 'Shows a piece of an output, in base64; nunet get outputs writes whole files.',
    flags: [
      deploymentId,
      {
        name: 'allocation',
        short: 'a',
        type: 'text',
        value: 'name',
        doc: 'As in the manifest: node.allocation.',
        required: true
      },
      { name: 'path', type: 'text', doc: 'The file, as it is listed.', required: true },
      { name: 'offset', type: 'number', doc: 'Where the piece begins.' },
      { name: 'max-bytes', type: 'number', doc: 'Bytes of the piece, at most 524288.' }
    ],
    examples: ['nunet actor cmd -c dms /dms/node/deployment/outputs/read -i <id> -a node1.alloc1 --path result.csv']
  },
  {
    name: '/dms/node/deployment/shutdown',
    summary: 'Ends a deployment.',
    flags: [deploymentId],
    examples: ['nunet actor cmd -c dms /dms/node/deployment/shutdown -i <id>']
  },
  { name: '/dms/cap/list', summary: 'Lists the anchors of the node.' },
  {
    name: '/dms/cap/root/anchor',
    summary: 'Makes a DID a root anchor of the node.',
    flags: [{ name: 'did', type: 'list', value: 'did', doc: 'Whoever has this DID may do everything.', required: true }],
    examples: ['nunet actor cmd -c dms /dms/cap/root/anchor --did <user-did>']
  },
  {
    name: '/dms/cap/require/anchor',
    summary: 'Adds a require anchor to the node.',
    flags: [capToken],
    examples: ['nunet actor cmd -c dms /dms/cap/require/anchor --token <token>']
  },
  {
    name: '/dms/cap/provide/anchor',
    summary: 'Adds a provide anchor to the node.',
    flags: [capToken],
    examples: ['nunet actor cmd -c dms /dms/cap/provide/anchor --token <token>']
  },
  {
    name: '/dms/cap/revoke/anchor',
    summary: 'Adds a revocation to the node.',
    flags: [capToken],
    examples: ['nunet actor cmd -c dms /dms/cap/revoke/anchor --token <token>']
  },
  {
    name: '/dms/cap/anchor',
    summary: 'Adds an anchor, also to nodes of 2025.',
    flags: anyAnchor,
    rules: oneAnchor,
    examples: ['nunet actor cmd -c dms /dms/cap/anchor --provide <token>']
  },
  {
    name: '/dms/cap/remove',
    summary: 'Removes an anchor from the node.',
    flags: anyAnchor,
    rules: oneAnchor,
    examples: ['nunet actor cmd -c dms /dms/cap/remove --root <user-did>']
  },
  { name: '/dms/cap/reload', summary: 'Has the node read its capability context anew.', isPlain: true },
  {
    name: '/dms/cap/revoke/broadcast',
    summary: 'Has the node tell all others of revocations.',
    flags: [{ ...capToken, doc: 'The revocation; - reads stdin. Without it all that the node has.', required: false }],
    examples: [
      'nunet actor cmd -c dms /dms/cap/revoke/broadcast',
      'nunet actor cmd -c dms /dms/cap/revoke/broadcast --token - < revocation.json'
    ]
  }
]
