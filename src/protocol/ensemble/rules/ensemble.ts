import { decodeBase64, encodeBase64, utf8 } from '../../../base/index.ts'
import { type ContractReference, type EnsembleConfig, MAX_NAMED, type SupervisorTree } from '../model.ts'
import { defaulted, type ObjectSchema, object, optional, record, required } from '../object-schema.ts'
import { kindOf, refuse } from '../reading.ts'
import { flag, lazily, list, oneOf, refined, type Schema, text } from '../schema.ts'
import { accessKey, allocation, volumeSchema } from './allocation.ts'
import { didText, FILE_NAME, LABEL, labels, METADATA_KEY, peerId } from './names.ts'
import { edge, nodeSchema } from './node.ts'
import { resourcesSchema } from './resources.ts'

/** Longest script, in bytes: what fits into a message next to everything else. */
const MAX_SCRIPT = 256 * 1024

/** A script: its text in a file, base64 on the wire. */
const script: Schema<Uint8Array> = {
  about: `text of the script, for example \`\${file:setup.sh}\``,
  read(value, place) {
    if (typeof value !== 'string') return refuse(place, `must be a text, is ${kindOf(value)}`)
    if (value.length > MAX_SCRIPT * 2) return refuse(place, `must have at most ${MAX_SCRIPT} bytes`)
    const content = place.reading.dialect === 'wire' ? decodeBase64(value) : { ok: true as const, value: utf8(value) }
    if (!content.ok) return refuse(place, content.error)
    const { length } = content.value
    return length <= MAX_SCRIPT ? content.value : refuse(place, `must have at most ${MAX_SCRIPT} bytes, has ${length}`)
  },
  encode: encodeBase64
}

/** Which allocations restart together. */
export const supervisorSchema: ObjectSchema<SupervisorTree> = object('supervisor', {
  strategy: required('strategy', oneOf(['OneForOne', 'AllForOne', 'RestForOne']), 'OneForOne, AllForOne or RestForOne'),
  allocations: defaulted('allocations', labels, [], 'what it supervises'),
  children: defaulted(
    'children',
    list(
      lazily('supervisor', () => supervisorSchema),
      MAX_NAMED
    ),
    [],
    'supervisors below it'
  )
})

/** A payment contract. */
export const contractSchema: ObjectSchema<ContractReference> = object('contract', {
  did: required('did', didText, 'DID of the contract'),
  host: required('host', didText, 'DID of the node that keeps the contract')
})

function notEmpty<T>(schema: Schema<ReadonlyMap<string, T>>, what: string): Schema<ReadonlyMap<string, T>> {
  return refined(schema, (map) => (map.size > 0 ? undefined : `must have at least one ${what}`))
}

const MAX_METADATA = 256
const MAX_EDGES = 1024
const MAX_EXCLUDED = 4096

/** The whole ensemble (C §7.5). */
export const ensembleSchema: ObjectSchema<EnsembleConfig> = object(
  'ensemble',
  {
    allocations: required('allocations', notEmpty(record(allocation, LABEL, MAX_NAMED), 'allocation'), 'what runs, by name'),
    nodes: required('nodes', notEmpty(record(nodeSchema, LABEL, MAX_NAMED), 'node'), 'the machines, by name'),
    edges: defaulted('edges', list(edge, MAX_EDGES), [], 'how near nodes must be', { file: 'edge_constraints' }),
    escalationStrategy: optional(
      'escalation_strategy',
      oneOf(['redeploy', 'teardown'], { tear_down: 'teardown' }),
      'what happens when recovery fails'
    ),
    supervisor: optional('supervisor', supervisorSchema, 'which allocations restart together'),
    keys: defaulted('keys', record(accessKey, FILE_NAME, MAX_NAMED), new Map(), 'keys by name'),
    scripts: defaulted('scripts', record(script, FILE_NAME, MAX_NAMED), new Map(), 'scripts by name'),
    subnet: defaulted(
      'subnet',
      object('subnet', { join: required('join', flag, 'true or false') }),
      { join: false },
      'whether the deployer’s machine joins the subnet: `join`'
    ),
    contracts: defaulted('contracts', record(contractSchema, FILE_NAME, MAX_NAMED), new Map(), 'payment contracts by name'),
    excludePeers: defaulted('exclude_peers', list(peerId, MAX_EXCLUDED), [], 'machines on which nothing may run'),
    metadata: defaulted(
      'metadata',
      record(text({ max: 4096, mayBeEmpty: true }), METADATA_KEY, MAX_METADATA),
      new Map(),
      'stored with the deployment, to find it again'
    )
  },
  { ignored: ['version', 'resources', 'volumes'], note: (partial, { reading }) => reading.noteEnsemble(partial) }
)

/** Templates at the top of a file: checked also when nothing refers to them. */
export const templateSchemas = {
  resources: record(resourcesSchema, FILE_NAME, MAX_NAMED),
  volumes: record(volumeSchema, FILE_NAME, MAX_NAMED)
} as const
