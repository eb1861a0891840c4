import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytes, encodeGoJson, type JsonValue, millis, parseJson } from '../../base/index.ts'
import type { EnsembleAllocation, EnsembleConfig, EnsembleNode, Execution, HealthCheck, Volume } from './model.ts'
import { decodeEnsemble, encodeEnsemble, viewExecution } from './wire.ts'

type Members = { readonly [name: string]: JsonValue }

const RESOURCES = { cpu: { cores: 1 }, ram: { size: 1024 }, disk: { size: 2048 } }

function allocation(members: Members = {}): Members {
  return { type: 'task', executor: 'null', resources: RESOURCES, execution: { type: 'null', params: null }, ...members }
}

function wire(members: Members = {}): JsonValue {
  return { v1: { allocations: { a: allocation() }, nodes: { n: { allocations: ['a'] } }, ...members } }
}

function errorsOf(value: JsonValue): string[] {
  const result = decodeEnsemble(value)
  return result.ok ? [] : result.error.map(({ path, message }) => `${path}: ${message}`)
}

function decoded(value: JsonValue): EnsembleConfig {
  const result = decodeEnsemble(value)
  if (!result.ok) throw new Error(errorsOf(value).join('\n'))
  return result.value
}

/** What another node would decode. */
function overTheWire(config: EnsembleConfig): unknown {
  const parsed = parseJson(encodeGoJson(encodeEnsemble(config)))
  return parsed.ok ? decodeEnsemble(parsed.value) : parsed
}

describe('an ensemble from the network is refused', () => {
  test.each<[string, JsonValue, string]>([
    ['that is nothing', null, 'v1: is missing: only version 1 of the ensemble is known'],
    ['of another version', { v2: {} }, 'v1: is missing: only version 1 of the ensemble is known'],
    ['whose version is no map', { v1: 7 }, ': must be a map, is 7'],
    [
      'with a name that leaves its directory',
      wire({ allocations: { '../../etc': allocation() } }),
      'allocations.../../etc: the name "../../etc" must be letters, digits and inner hyphens, at most 63, without dots'
    ],
    [
      'with a prototype for a name',
      wire({ scripts: { ['__proto__']: 'AA==' } }),
      'scripts.__proto__: the name "__proto__" must be letters, digits, dots, hyphens and underscores, at most 128, beginning with a letter or digit'
    ],
    ['with a script that is not base64', wire({ scripts: { x: 'echo hi' } }), 'scripts.x: not canonical padded base64'],
    [
      'with a size as text',
      wire({ allocations: { a: allocation({ resources: { ...RESOURCES, ram: { size: '1GiB' } } }) } }),
      'allocations.a.resources.ram.size: must be a number, is a text'
    ],
    [
      'with half a byte',
      wire({ allocations: { a: allocation({ resources: { ...RESOURCES, ram: { size: 0.5 } } }) } }),
      'allocations.a.resources.ram.size: must be whole bytes, is 0.5'
    ],
    [
      'with a size beyond 2^53',
      wire({ allocations: { a: allocation({ resources: { ...RESOURCES, ram: { size: 2n ** 60n } } }) } }),
      'allocations.a.resources.ram.size: must be a number, is 1152921504606846976'
    ],
    [
      'with a template',
      wire({ resources: { r: RESOURCES }, allocations: { a: allocation({ resources: 'r' }) } }),
      'allocations.a.resources: must be a map, is a text'
    ],
    [
      'with a file for a module',
      wire({ allocations: { a: allocation({ executor: 'wasm', execution: { type: 'wasm', params: { module: 'x.wasm' } } }) } }),
      'allocations.a.execution.params.module: not canonical padded base64'
    ],
    [
      'with an unknown executor',
      wire({ allocations: { a: allocation({ executor: 'vm', execution: { type: 'vm', params: {} } }) } }),
      'allocations.a.executor: must be one of docker, oci, microvm, wasm, null, firecracker, containerd, is "vm"'
    ],
    [
      'with a node for nobody',
      wire({ nodes: { n: { allocations: ['a', 'b'] } } }),
      'nodes.n.allocations.1: there is no allocation b'
    ],
    [
      'with a dependency on itself',
      wire({ allocations: { a: allocation({ depends_on: ['a'] }) } }),
      'allocations.a.depends_on.0: an allocation cannot depend on itself'
    ],
    ['with an edge to nowhere', wire({ edges: [{ S: 'n', T: 'm' }] }), 'edges.0: there is no node m'],
    [
      'with too many nodes',
      wire({ nodes: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`n${i}`, { allocations: ['a'] }])) }),
      'nodes: must have at most 256 members, has 257'
    ],
    [
      'with too many dependencies',
      wire({ allocations: { a: allocation({ depends_on: Array.from({ length: 257 }, () => 'b') }) } }),
      'allocations.a.depends_on: must have at most 256 items, has 257'
    ]
  ])('%s', (_, value, error) => {
    expect(errorsOf(value)).toContain(error)
  })

  test('with supervisors nested without end', () => {
    let supervisor: JsonValue = { strategy: 'OneForOne' }
    for (let i = 0; i < 60; i += 1) supervisor = { strategy: 'OneForOne', children: [supervisor] }
    expect(errorsOf(wire({ supervisor }))).toEqual([expect.stringContaining('is nested more than 32 levels deep')])
  })

  test('quickly and with a bounded number of errors', () => {
    const names = Array.from({ length: 256 }, (_, i) => `n${i}`)
    const allocations = Object.fromEntries(names.map((name) => [name, allocation({ depends_on: names, provision: names })]))
    const nodes = Object.fromEntries(names.map((name) => [name, { allocations: names }]))
    const errors = errorsOf({ v1: { allocations, nodes, edges: Array.from({ length: 1024 }, () => ({ S: 'x', T: 'y' })) } })
    expect(errors).toHaveLength(200)
  })

  test('or accepted, whatever it holds', () => {
    const key = fc.constantFrom(
      'v1',
      'V1',
      'allocations',
      'nodes',
      'a',
      'Resources',
      'execution',
      'params',
      'type',
      'CPU',
      'size',
      '__proto__'
    )
    const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom<JsonValue>(null, true, 0, 2n ** 70n, '', 'a', 'docker'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(key, tie('value'), { maxKeys: 5 })
      )
    }))
    fc.assert(
      fc.property(value, (members) => {
        const result = decodeEnsemble({ v1: members })
        expect(result.ok || result.error.length > 0).toBe(true)
      })
    )
  })
})

describe('an ensemble from the network is accepted', () => {
  test('in the names of the first era, with Go’s zero values for what was not given', () => {
    const config = decoded({
      V1: {
        Allocations: {
          a: {
            Executor: 'docker',
            Resources: {
              CPU: { ClockSpeed: 2.4e9, Cores: 2, Model: '', Vendor: '', Threads: 0, Architecture: '', CacheSize: 0 },
              GPUs: null,
              RAM: { Size: 1024, ClockSpeed: 0, Type: '' },
              Disk: { Size: 2048, Model: '', ReadSpeed: 0 }
            },
            Execution: { Type: 'docker', Params: { image: 'hello-world', cmd: null, working_directory: '' } },
            DNSName: 'web',
            Keys: null,
            Provision: [],
            HealthCheck: { Type: '', Exec: null, Endpoint: '', Response: { Type: '', Value: '' }, Interval: 0 }
          }
        },
        Nodes: { n: { Allocations: ['a'], Ports: null, Location: { Accept: null, Reject: null }, Peer: '', Redundancy: 0 } },
        Edges: null,
        Supervisor: { Strategy: '', Allocations: null, Children: null },
        Subnet: { Join: false },
        EscalationStrategy: ''
      }
    })
    expect(config.supervisor).toBeUndefined()
    expect(config.nodes.get('n')).toEqual({
      allocations: ['a'],
      ports: [],
      location: { accept: [], reject: [] },
      redundancy: 0,
      failureRecovery: 'stay_down'
    })
    expect(config.allocations.get('a')).toEqual({
      type: 'service',
      executor: 'docker',
      resources: { cpu: { cores: 2, clockHz: 2.4e9 }, gpus: [], ram: { size: 1024 }, disk: { size: 2048 } },
      execution: { type: 'docker', params: { image: 'hello-world' } },
      dnsName: 'web',
      dependsOn: [],
      failureRecovery: 'stay_down',
      keys: [],
      provision: [],
      volumes: [],
      contracts: []
    })
  })

  test('with an executor that a plugin adds', () => {
    const value = wire({ allocations: { a: allocation({ executor: 'echo', execution: { type: 'echo', params: [1] } }) } })
    const result = decodeEnsemble(value, { executors: ['echo'] })
    const execution = result.ok ? result.value.allocations.get('a')?.execution : undefined
    expect(execution).toEqual({ type: 'echo', params: [1] })
    expect(viewExecution({ type: 'echo', params: [1] })).toEqual({ type: 'other', executor: 'echo', params: [1] })
  })
})

describe('the wire form', () => {
  test('has the names and units of the reference', () => {
    const config = decoded(
      wire({
        allocations: {
          a: allocation({ healthcheck: { type: 'command', exec: ['true'], interval: 30_000_000_000 } }),
          b: allocation()
        },
        nodes: { n: { allocations: ['a'] }, m: { allocations: ['b'] } },
        edges: [{ s: 'n', t: 'm', rtt: 5, bw: 7 }],
        scripts: { setup: 'ZWNobw==' },
        metadata: { app: 'x' }
      })
    )
    const written = allocation({ dns_name: 'a', failure_recovery: 'stay_down', execution: { type: 'null', params: {} } })
    const node = { location: { accept: [], reject: [] }, failure_recovery: 'stay_down' }
    expect(encodeEnsemble(config)).toEqual({
      v1: {
        allocations: {
          a: { ...written, healthcheck: { type: 'command', exec: ['true'], interval: 30_000_000_000 } },
          b: { ...written, dns_name: 'b' }
        },
        nodes: { n: { ...node, location: {}, allocations: ['a'] }, m: { ...node, location: {}, allocations: ['b'] } },
        edges: [{ S: 'n', T: 'm', RTT: 5, BW: 7 }],
        scripts: { setup: 'ZWNobw==' },
        subnet: { join: false },
        metadata: { app: 'x' }
      }
    })
  })

  test('carries every ensemble without loss', () => {
    fc.assert(
      fc.property(ensembles(), (config) => {
        expect(overTheWire(config)).toEqual({ ok: true, value: config })
      }),
      { numRuns: 60 }
    )
  })
})

const words = fc.array(
  fc.string({ maxLength: 8 }).filter((text) => !text.includes('\0')),
  { maxLength: 3 }
)
const filled = fc.stringMatching(/^[a-z]{1,8}$/)
const size = fc.integer({ min: 1, max: 2 ** 45 }).map(bytes)
const count = fc.integer({ min: 1, max: 1e9 })

function partial<T extends object>(required: { [K in keyof T]: fc.Arbitrary<T[K]> }, keys: (keyof T)[]): fc.Arbitrary<T> {
  return fc.record(required, { requiredKeys: keys as [] }) as fc.Arbitrary<T>
}

function executions(): fc.Arbitrary<Execution> {
  return fc.oneof(
    fc.constant({ type: 'null', params: {} }),
    fc
      .record({ image: fc.constantFrom('busybox', 'reg.example:5000/a/b:c'), user: filled, environment: fc.constant(['A=b']) })
      .map((params) => ({ type: 'docker', params })),
    fc
      .integer({ min: 1, max: 1000 })
      .map((timeout) => ({ type: 'wasm', params: { module: 'AGFzbQEAAAA=', args: ['x'], timeout } })),
    fc.constant({ type: 'firecracker', params: { kernel_image: 'k', root_file_system: 'r' } }),
    fc.constant({ type: 'containerd', params: { image: 'busybox', runtime: 'kata' } })
  )
}

const healthchecks: fc.Arbitrary<HealthCheck> = fc.oneof(
  fc.record({
    type: fc.constant('command' as const),
    exec: fc.constant(['true']),
    interval: fc.integer({ min: 1, max: 1e8 }).map(millis)
  }),
  fc.record({
    type: fc.constant('http' as const),
    endpoint: fc.constant('http://localhost/'),
    response: fc.record({ type: fc.constant('string'), value: filled })
  })
)

const volumes: fc.Arbitrary<Volume> = fc.oneof(
  fc.record({ type: fc.constant('local' as const), src: filled, mountDestination: fc.constant('/data'), readOnly: fc.boolean() }),
  fc.record({
    type: fc.constant('glusterfs' as const),
    name: filled,
    servers: fc.constant(['192.0.2.1']),
    clientPrivateKey: filled,
    clientPem: filled,
    clientCa: filled,
    mountDestination: fc.constant('/data'),
    readOnly: fc.boolean()
  })
)

function allocations(name: string, earlier: string[]): fc.Arbitrary<EnsembleAllocation> {
  const cpu = partial(
    {
      cores: fc.double({ min: 0.01, max: 1024, noNaN: true }),
      clockHz: count,
      architecture: filled,
      threads: count,
      cacheSize: count
    },
    ['cores']
  )
  const gpu = partial({ vendor: filled, model: filled, vram: size, index: fc.integer({ min: 1, max: 9 }), uuid: filled }, [
    'vendor'
  ])
  return executions().chain((execution) =>
    partial<EnsembleAllocation>(
      {
        type: fc.constantFrom('service', 'task'),
        executor: fc.constant(execution.type),
        execution: fc.constant(execution),
        resources: fc.record({
          cpu,
          gpus: fc.array(gpu, { maxLength: 2 }),
          ram: partial({ size, clockSpeed: count, type: filled }, ['size']),
          disk: partial({ size, readSpeed: count, interface: filled }, ['size'])
        }),
        dnsName: fc.constant(`${name}.internal-name`),
        dependsOn: fc.subarray(earlier),
        failureRecovery: fc.constantFrom('stay_down', 'one_for_one', 'one_for_all', 'rest_for_one'),
        healthcheck: healthchecks,
        keys: fc.constantFrom([], [{ type: 'ssh' as const, file: 'k' }], [{ type: 'gpg' as const, file: 'k', dest: '/k' }]),
        provision: fc.subarray(['setup', 'run.sh']),
        volumes: fc.array(volumes, { maxLength: 2 }),
        contracts: fc.subarray(['c1'])
      },
      [
        'type',
        'executor',
        'execution',
        'resources',
        'dnsName',
        'dependsOn',
        'failureRecovery',
        'keys',
        'provision',
        'volumes',
        'contracts'
      ]
    )
  )
}

function nodes(names: string[]): fc.Arbitrary<EnsembleNode> {
  const rule = fc.constantFrom({ continent: 'EU' }, { continent: 'AS', country: 'CN', city: 'Beijing' })
  return partial<EnsembleNode>(
    {
      allocations: fc.constant(names),
      ports: fc.constantFrom([], [{ public: 0, private: 80, allocation: names[0] ?? '' }]),
      location: fc.record({ accept: fc.array(rule, { maxLength: 2 }), reject: fc.array(rule, { maxLength: 1 }) }),
      peer: fc.constant('QmPeer'),
      redundancy: fc.integer({ min: 0, max: 3 }),
      failureRecovery: fc.constantFrom('stay_down', 'restart', 'redeploy')
    },
    ['allocations', 'ports', 'location', 'redundancy', 'failureRecovery']
  )
}

/** Ensembles that keep all rules: a first node with some allocations, a second with one. */
function ensembles(): fc.Arbitrary<EnsembleConfig> {
  const names = ['web', 'db', 'constructor', 'cache-1']
  const map = <T>(entries: Record<string, fc.Arbitrary<T>>) =>
    fc.record(entries).map((members): ReadonlyMap<string, T> => new Map(Object.entries<T>(members)))
  return partial<EnsembleConfig>(
    {
      allocations: map({
        ...Object.fromEntries(names.map((name, i) => [name, allocations(name, names.slice(0, i))])),
        alone: allocations('alone', [])
      }),
      nodes: map({ n1: nodes(names), n2: nodes(['alone']) }),
      edges: fc.array(
        partial({ source: fc.constant('n1'), target: fc.constant('n2'), rtt: count, bandwidth: count }, ['source', 'target']),
        { maxLength: 2 }
      ),
      escalationStrategy: fc.constantFrom('redeploy', 'teardown'),
      supervisor: fc.constantFrom({
        strategy: 'OneForOne' as const,
        allocations: ['web'],
        children: [{ strategy: 'RestForOne' as const, allocations: [], children: [] }]
      }),
      keys: map({ mine: fc.constant({ type: 'ssh' as const, file: 'k' }) }),
      scripts: map({ setup: fc.uint8Array({ maxLength: 20 }), 'run.sh': fc.uint8Array({ maxLength: 20 }) }),
      subnet: fc.record({ join: fc.boolean() }),
      contracts: map({ c1: fc.constant({ did: 'did:key:zA', host: 'did:key:zB' }) }),
      excludePeers: fc.constantFrom([], ['QmOther']),
      metadata: words.map((values) => new Map(values.map((value, i) => [`key ${i}`, value])))
    },
    ['allocations', 'nodes', 'edges', 'keys', 'scripts', 'subnet', 'contracts', 'excludePeers', 'metadata']
  )
}
