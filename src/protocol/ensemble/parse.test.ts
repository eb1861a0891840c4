// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of ensembles look like this
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type EnsembleResult, type ParseEnsembleOptions, parseEnsemble } from './parse.ts'
import { viewExecution } from './wire.ts'

const WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

const BAD_IMAGE = 'must be an image such as registry.example/path/name:tag or name@sha256:…, the path in lower case'

type Members = Readonly<Record<string, unknown>>

const RESOURCES = { cpu: { cores: 1 }, ram: { size: 1 }, disk: { size: 1 } }

function allocation(members: Members = {}): Members {
  return { type: 'task', executor: 'docker', resources: RESOURCES, execution: { type: 'docker', image: 'busybox' }, ...members }
}

/** An ensemble as JSON, which is YAML: one allocation `a` on one node `n`, changed by what is given. */
function ensemble({ a = {}, n = {}, ...top }: { readonly a?: Members; readonly n?: Members } & Members = {}): string {
  return JSON.stringify({ version: 'V1', allocations: { a: allocation(a) }, nodes: { n: { allocations: ['a'], ...n } }, ...top })
}

function errorsOf(text: string, options?: ParseEnsembleOptions): string[] {
  return lines(parseEnsemble(text, options), 'errors')
}

function lines(result: EnsembleResult, kind: 'errors' | 'warnings'): string[] {
  const issues = kind === 'warnings' ? result.warnings : result.ok ? [] : result.errors
  return issues.map(({ path, message }) => `${path}: ${message}`)
}

function accepted(text: string, options?: ParseEnsembleOptions) {
  const result = parseEnsemble(text, options)
  if (!result.ok) throw new Error(lines(result, 'errors').join('\n'))
  return result
}

describe('a text is refused', () => {
  test.each([
    ['that is empty', '', /^: must be a map with version, allocations and nodes$/],
    ['that is no map', '- a\n- b', /^: must be a map/],
    ['that is not YAML', 'a: [1, 2', /^: is not valid YAML/],
    ['with a key twice', 'version: V1\nversion: V1', /is not valid YAML: the key "version" is repeated/],
    ['with a list for a key', '? [a]\n: b', /is not valid YAML: a key must be a plain text/],
    ['with an alias to nothing', 'version: *nowhere', /is not valid YAML/],
    ['with an alias to itself', 'version: &v [*v]', /is not valid YAML/],
    ['that is too long', `# ${'x'.repeat(1024 * 1024)}`, /^: must have at most 1048576 bytes$/],
    ['that is nested too deeply', '['.repeat(5000), /is not valid YAML/]
  ])('%s', (_, text, message) => {
    const errors = errorsOf(text)
    expect(errors[0]).toMatch(message)
  })

  test('whose aliases multiply', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array.from({ length: 10 }, () => `*l${i}`).join(', ')}]`
    )
    expect(errorsOf(['l0: &l0 [x]', ...levels].join('\n'))[0]).toMatch(/is not valid YAML: Excessive alias count/)
  })

  test('with the line and column of every error', () => {
    const result = parseEnsemble('version: V1\nallocations:\n  a:\n    type: job\nnodes:\n  n:\n    allocations: [a, b]\n')
    expect(result.ok ? [] : result.errors.map(({ line, column, path }) => [line, column, path])).toEqual([
      [3, 3, 'allocations.a.executor'],
      [3, 3, 'allocations.a.resources'],
      [3, 3, 'allocations.a.execution'],
      [4, 5, 'allocations.a.type'],
      [7, 22, 'nodes.n.allocations.1']
    ])
  })
})

describe('a rule of the top level', () => {
  test.each([
    ['version missing', { version: null }, 'version: is missing: write version: V1'],
    ['another version', { version: 'V2' }, 'version: is unknown: write version: V1'],
    ['no allocations', { allocations: {}, nodes: {} }, 'allocations: must have at least one allocation'],
    [
      'a name with a dot',
      { allocations: { 'a.b': allocation() } },
      /^allocations\.a\.b: the name "a\.b" must be .*without dots$/
    ],
    [
      'a name that leaves its directory',
      { nodes: { '../n': { allocations: ['a'] } } },
      /^nodes\.\.\.\/n: the name "\.\.\/n" must be/
    ],
    [
      'names that differ in case',
      { allocations: { a: allocation(), A: allocation() } },
      'allocations.A: the name differs from a only in case'
    ],
    ['a script that leaves its directory', { scripts: { '../x': 'echo' } }, /^scripts\.\.\.\/x: the name "\.\.\/x" must be/],
    [
      'an unknown strategy',
      { escalation_strategy: 'tear-down' },
      /must be one of redeploy, teardown, is "tear-down" \(did you mean teardown\?\)/
    ],
    ['a subnet without join', { subnet: {} }, 'subnet.join: is missing: true or false'],
    ['a contract without a DID', { contracts: { c: { did: 'x', host: 'did:key:z' } } }, /^contracts\.c\.did: must be a DID/],
    ['metadata that is no text', { metadata: { v: 1.1 } }, 'metadata.v: must be a text: write it in quotes, "1.1"'],
    ['an edge to nowhere', { edge_constraints: [{ edges: ['n', 'm'] }] }, 'edge_constraints.0: there is no node m'],
    [
      'an edge to itself',
      { edge_constraints: [{ s: 'n', t: 'n' }] },
      'edge_constraints.0: both ends are n: an edge is between two nodes'
    ],
    [
      'a supervisor of nobody',
      { supervisor: { strategy: 'OneForOne', allocations: ['b'] } },
      'supervisor.allocations.0: there is no allocation b'
    ],
    [
      'too many allocations',
      { allocations: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`a${i}`, allocation()])) },
      'allocations: must have at most 256 members, has 257'
    ],
    ['a broken template', { resources: { small: { cpu: { cores: 0 } } } }, 'resources.small.cpu.cores: must be more than 0, is 0']
  ])('refuses %s', (_, top, message) => {
    expect(errorsOf(ensemble(top))).toContainEqual(
      expect.stringMatching(message instanceof RegExp ? message : new RegExp(`^${escaped(message)}$`))
    )
  })

  function escaped(text: string): string {
    return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  }

  test.each(['V1', 'v1', 'ensembleV1', 'EnsembleV1'])('accepts the version %s', (version) => {
    expect(errorsOf(ensemble({ version }))).toEqual([])
  })

  test('accepts keys in any case, edges by name, and the older spelling of teardown', () => {
    const two = {
      allocations: { a: allocation(), b: allocation() },
      nodes: { n: { allocations: ['a'] }, m: { ALLOCATIONS: ['b'] } }
    }
    const { ensemble: config } = accepted(
      JSON.stringify({
        Version: 'V1',
        ...two,
        escalation_strategy: 'tear_down',
        edge_constraints: [{ edges: ['n', 'm'], rtt: 20 }]
      })
    )
    expect(config.escalationStrategy).toBe('teardown')
    expect(config.edges).toEqual([{ source: 'n', target: 'm', rtt: 20 }])
    expect(config.nodes.get('m')?.allocations).toEqual(['b'])
  })

  test('warns about unknown keys with the nearest known one, except about holders of anchors', () => {
    const text = `version: V1
holder: &r {cpu: {cores: 1}, ram: {size: 1}, disk: {size: 1}}
x-note: mine
meta_data: {a: b}
allocations: {a: {type: task, executor: docker, resources: *r, execution: {type: docker, image: busybox, Entrypont: [x]}}}
nodes: {n: {allocations: [a]}}`
    expect(accepted(text).warnings).toEqual([
      { line: 4, column: 1, path: 'meta_data', message: 'is not a known key and is ignored (did you mean metadata?)' },
      {
        line: 5,
        column: 106,
        path: 'allocations.a.execution.Entrypont',
        message: 'is not a known key and is ignored (did you mean entrypoint?)'
      }
    ])
  })

  test('resolves merge keys', () => {
    const text = `version: V1
base: &base {type: task, executor: docker, resources: {cpu: {cores: 1}, ram: {size: 1}, disk: {size: 1}}}
allocations:
  a: {<<: *base, execution: {type: docker, image: busybox}}
  b: {<<: *base, type: service, execution: {type: docker, image: Busybox}}
nodes: {n: {allocations: [a, b]}}`
    const result = parseEnsemble(text)
    expect(result.ok ? [] : result.errors).toEqual([
      { line: 5, column: 59, path: 'allocations.b.execution.image', message: BAD_IMAGE }
    ])
    expect(accepted(text.replace('Busybox', 'busybox')).ensemble.allocations.get('b')?.type).toBe('service')
  })
})

describe('a rule of allocations', () => {
  test.each([
    [
      'an unknown executor',
      { executor: 'dokcer' },
      'allocations.a.executor: must be one of docker, oci, microvm, wasm, null, firecracker, containerd, is "dokcer" (did you mean docker?)'
    ],
    [
      'executors that differ',
      { executor: 'null' },
      'allocations.a.executor: is null, but execution.type is docker: they must be the same'
    ],
    ['no execution', { execution: null }, 'allocations.a.execution: is missing: what it runs'],
    ['no image', { execution: { type: 'docker' } }, 'allocations.a.execution.image: is missing: the image to run'],
    [
      'an upper-case image',
      { execution: { type: 'docker', image: 'reg.example/Path' } },
      `allocations.a.execution.image: ${BAD_IMAGE}`
    ],
    [
      'a number as an argument',
      { execution: { type: 'docker', image: 'x', cmd: ['sleep', 10] } },
      'allocations.a.execution.cmd.1: must be a text: write it in quotes, "10"'
    ],
    [
      'a fraction as a variable',
      { execution: { type: 'docker', image: 'x', environment: { V: 1.1 } } },
      'allocations.a.execution.environment.V: must be a text, is 1.1: write it in quotes'
    ],
    [
      'no memory',
      { resources: { ...RESOURCES, ram: {} } },
      'allocations.a.resources.ram.size: is missing: memory of the workload, for example 0.5 or 512MiB'
    ],
    [
      'an unknown template',
      { resources: 'smal' },
      'allocations.a.resources: "smal" is not in resources: there are no resources at the top level'
    ],
    ['a host name with an underscore', { dns_name: 'my_host' }, /^allocations\.a\.dns_name: must be a host name/],
    ['a long label', { dns_name: `x.${'y'.repeat(64)}` }, /^allocations\.a\.dns_name: must be a host name/],
    ['a dependency on itself', { depends_on: ['a'] }, 'allocations.a.depends_on.0: an allocation cannot depend on itself'],
    ['a dependency on nobody', { depends_on: ['b'] }, 'allocations.a.depends_on.0: there is no allocation b'],
    ['a missing script', { provision: ['setup'] }, 'allocations.a.provision.0: there is no script setup in scripts'],
    ['a missing contract', { contracts: ['c'] }, 'allocations.a.contracts.0: there is no contract c in contracts'],
    [
      'a check without a command',
      { healthcheck: { type: 'command' } },
      'allocations.a.healthcheck.exec: is missing: the command and its arguments'
    ],
    [
      'a check of a file',
      { healthcheck: { type: 'http', endpoint: 'file:///etc/passwd' } },
      /^allocations\.a\.healthcheck\.endpoint: must be a URL/
    ],
    [
      'an interval without a unit',
      { healthcheck: { type: 'command', exec: ['x'], interval: 30 } },
      'allocations.a.healthcheck.interval: must be a duration such as 30s or 1m30s, is 30'
    ],
    [
      'a gpg key without dest',
      { keys: [{ type: 'gpg', file: 'x' }] },
      'allocations.a.keys.0: needs dest, the path inside the workload, because its type is gpg'
    ],
    ['an unknown key', { keys: ['mine'] }, 'allocations.a.keys.0: "mine" is not in keys: there are no keys at the top level'],
    ['an unknown volume type', { volume: [{ type: 'nfs' }] }, 'allocations.a.volume.0.type: must be one of local, s3, glusterfs'],
    [
      'a relative mount',
      { volume: [{ type: 'local', src: 'data', mount_destination: 'data' }] },
      'allocations.a.volume.0.mount_destination: must be an absolute path'
    ],
    [
      'a source that leaves its directory',
      { volume: [{ type: 'local', src: '../data', mount_destination: '/data' }] },
      /^allocations\.a\.volume\.0\.src: must be an absolute path, or a name/
    ],
    [
      'a bucket with capitals',
      { volume: [{ type: 's3', bucket: 'Data', mount_destination: '/data' }] },
      'allocations.a.volume.0.bucket: must be 3 to 63 lower-case letters, digits, hyphens and dots'
    ],
    ['outputs at no absolute path', { outputs: { path: 'out' } }, 'allocations.a.outputs.path: must be an absolute path'],
    [
      'a zero byte',
      { execution: { type: 'docker', image: 'x', cmd: ['a\0b'] } },
      'allocations.a.execution.cmd.0: must not contain a zero byte'
    ],
    ['a key twice', { Type: 'task' }, 'allocations.a.Type: is given twice: as type and as Type'],
    [
      'a key in two spellings',
      { resources: { ...RESOURCES, cpu: { cores: 1, clock_speed: 2, clockspeed: 2 } } },
      'allocations.a.resources.cpu.clockspeed: is given twice: as clock_speed and as clockspeed'
    ]
  ])('refuses %s', (_, a, message) => {
    expect(errorsOf(ensemble({ a }))).toEqual([message instanceof RegExp ? expect.stringMatching(message) : message])
  })

  test('names the nearest template', () => {
    expect(errorsOf(ensemble({ a: { resources: 'smal' }, resources: { small: RESOURCES } }))).toEqual([
      'allocations.a.resources: "smal" is not in resources: known are small (did you mean small?)'
    ])
  })

  test('merges templates of resources, volumes and keys', () => {
    const { ensemble: config } = accepted(
      ensemble({
        a: { resources: 'Small', volume: 'data', keys: ['mine'] },
        resources: { small: { name: 'small', ...RESOURCES } },
        volumes: { data: { type: 'local', src: 'data', mount_destination: '/data' } },
        keys: { mine: { type: 'ssh', file: 'ssh-ed25519 AAAA' } }
      })
    )
    expect(config.allocations.get('a')).toMatchObject({
      resources: { ram: { size: 2 ** 30 } },
      volumes: [{ type: 'local', src: 'data', mountDestination: '/data', readOnly: false }],
      keys: [{ type: 'ssh', file: 'ssh-ed25519 AAAA' }]
    })
  })

  test.each([
    'busybox',
    'localhost:5000/a/b:1.0',
    'registry.example/my-org/app_x:v1',
    `alpine@sha256:${'0a'.repeat(32)}`,
    `alpine:3.20@sha256:${'0a'.repeat(32)}`
  ])('accepts the image %s', (image) => {
    expect(errorsOf(ensemble({ a: { execution: { type: 'docker', image } } }))).toEqual([])
  })

  test('accepts an unquoted null executor, a nested params and an environment map', () => {
    const text = `version: V1
allocations:
  a: {type: task, executor: null, resources: &r {cpu: {cores: 1}, ram: {size: 1}, disk: {size: 1}}, execution: {type: null}}
  b: {type: task, executor: docker, resources: *r, execution: {type: docker, params: {image: x, environment: {A: 1, B: true, C: , D: d}}}}
nodes: {n: {allocations: [a, b]}}`
    const { ensemble: config, warnings } = accepted(text)
    expect(warnings).toEqual([])
    expect(config.allocations.get('a')?.execution).toEqual({ type: 'null', params: {} })
    expect(config.allocations.get('b')?.execution.params).toEqual({ image: 'x', environment: ['A=1', 'B=true', 'C=', 'D=d'] })
  })

  test('takes older spellings, and zero for free fields as not given', () => {
    const resources = { ...RESOURCES, cpu: { cores: '2', clockspeed: '2400MHz', cachesize: 0, model: '' } }
    expect(accepted(ensemble({ a: { resources } })).ensemble.allocations.get('a')?.resources.cpu).toEqual({
      cores: 2,
      clockHz: 2.4e9
    })
  })

  test('takes a single dependency with a warning', () => {
    const text = ensemble({
      allocations: { a: allocation({ depends_on: 'b' }), b: allocation() },
      nodes: { n: { allocations: ['a', 'b'] } }
    })
    const result = accepted(text)
    expect(lines(result, 'warnings')).toEqual(['allocations.a.depends_on: should be a list: write it as an item after "- "'])
    expect(result.ensemble.allocations.get('a')?.dependsOn).toEqual(['b'])
  })

  test('takes executors of plugins with their parameters as they are', () => {
    const text = ensemble({ a: { executor: 'echo', execution: { type: 'echo', words: [1, { x: true }] } } })
    expect(errorsOf(text)).toHaveLength(2)
    const result = accepted(text, { executors: ['echo'] })
    expect(result.unsupported).toEqual([])
    expect(result.ensemble.allocations.get('a')?.execution).toEqual({ type: 'echo', params: { words: [1, { x: true }] } })
  })
})

describe('a rule about several allocations', () => {
  function several(allocations: Members, nodes: Members = { n: { allocations: Object.keys(allocations) } }): string {
    return ensemble({ allocations, nodes })
  }

  test.each([
    [
      'one on two nodes',
      several({ a: allocation() }, { n: { allocations: ['a'] }, m: { allocations: ['a'] } }),
      ['nodes.m.allocations.0: a is on node n too: an allocation has exactly one node']
    ],
    [
      'one twice on a node',
      several({ a: allocation() }, { n: { allocations: ['a', 'a'] } }),
      ['nodes.n.allocations.1: a is on this node twice']
    ],
    [
      'one on no node',
      several({ a: allocation(), b: allocation() }, { n: { allocations: ['a'] } }),
      ['allocations.b: is on no node: add it to the allocations of a node, or remove it']
    ],
    [
      'one name for two',
      several({ a: allocation({ dns_name: 'web' }), b: allocation({ dns_name: 'WEB' }) }),
      ['allocations.b.dns_name: WEB is the name of a too: it must be unique']
    ],
    [
      'a name that is another’s default',
      several({ a: allocation(), b: allocation({ dns_name: 'a' }) }),
      ['allocations.b.dns_name: a is the name of a too: it must be unique']
    ],
    [
      'a cycle',
      several({
        a: allocation({ depends_on: ['b'] }),
        b: allocation({ depends_on: ['c'] }),
        c: allocation({ depends_on: ['a'] })
      }),
      ['allocations.a.depends_on: the dependencies go round: a → b → c → a']
    ],
    [
      'a dependency elsewhere',
      several(
        { a: allocation({ depends_on: ['b'] }), b: allocation() },
        { n: { allocations: ['a'] }, m: { allocations: ['b'] } }
      ),
      ['allocations.a.depends_on.0: b is on node m, not on n: a dependency must be on the same node']
    ]
  ])('refuses %s', (_, text, messages) => {
    expect(errorsOf(text)).toEqual(messages)
  })

  test('is checked although another allocation is broken', () => {
    expect(errorsOf(several({ a: allocation({ type: 'job' }), b: allocation({ depends_on: ['c'] }) }))).toEqual([
      'allocations.a.type: must be one of service, task, is "job"',
      'allocations.b.depends_on.0: there is no allocation c'
    ])
  })

  test('accepts dependencies that meet again', () => {
    const diamond = {
      a: allocation({ depends_on: ['b', 'c'] }),
      b: allocation({ depends_on: ['d'] }),
      c: allocation({ depends_on: ['d'] }),
      d: allocation()
    }
    expect(errorsOf(several(diamond))).toEqual([])
  })
})

describe('a rule of nodes', () => {
  test.each([
    ['no allocations', { allocations: [] }, ['nodes.n.allocations: must name at least one allocation']],
    [
      'a low port',
      { ports: [{ public: 80, private: 80, allocation: 'a' }] },
      ['nodes.n.ports.0.public: must be 0 for any port, or from 1025 to 65535, is 80']
    ],
    [
      'a port of nobody',
      { ports: [{ public: 0, private: 80, allocation: 'b' }] },
      ['nodes.n.ports.0.allocation: there is no allocation b']
    ],
    [
      'a port twice',
      {
        ports: [
          { public: 2000, private: 80, allocation: 'a' },
          { public: 2000, private: 81, allocation: 'a' }
        ]
      },
      ['nodes.n.ports.1.public: port 2000 is taken by ports.0']
    ],
    [
      'private port 0',
      { ports: [{ public: 0, private: 0, allocation: 'a' }] },
      ['nodes.n.ports.0.private: must be at least 1, is 0']
    ],
    [
      'a city without its country',
      { location: { accept: [{ continent: 'EU', city: 'Berlin' }] } },
      ['nodes.n.location.accept.0: the city "Berlin" needs its country']
    ],
    [
      'an unknown continent',
      { location: { reject: [{ continent: 'XX' }] } },
      ['nodes.n.location.reject.0.continent: must be one of AF, AN, AS, EU, NA, OC, SA, is "XX"']
    ],
    ['negative redundancy', { redundancy: -1 }, ['nodes.n.redundancy: must be at least 0, is -1']],
    ['half a standby', { redundancy: 0.5 }, ['nodes.n.redundancy: must be a whole number, is 0.5']],
    ['a strange peer', { peer: 'a/b' }, ['nodes.n.peer: must be a peer id: letters and digits']]
  ])('refuses %s', (_, n, messages) => {
    expect(errorsOf(ensemble({ n }))).toEqual(messages)
  })

  test('refuses a pinned peer that is excluded', () => {
    expect(errorsOf(ensemble({ n: { peer: 'QmPeer' }, exclude_peers: ['QmPeer'] }))).toEqual([
      'nodes.n.peer: QmPeer is also in exclude_peers'
    ])
  })

  test('accepts dynamic ports, pins and places', () => {
    const n = {
      ports: [
        { public: 0, private: 80, allocation: 'a' },
        { public: 0, private: 81, allocation: 'a' }
      ],
      peer: 'QmPeer',
      location: { accept: [{ continent: 'eu', country: 'de', city: 'Berlin' }] }
    }
    expect(accepted(ensemble({ n })).ensemble.nodes.get('n')).toEqual({
      allocations: ['a'],
      ports: n.ports,
      location: { accept: [{ continent: 'EU', country: 'DE', city: 'Berlin' }], reject: [] },
      peer: 'QmPeer',
      redundancy: 0,
      failureRecovery: 'stay_down'
    })
  })
})

describe('a wasm module', () => {
  function wasm(module: unknown, more: Members = {}): string {
    return ensemble({ a: { executor: 'wasm', execution: { type: 'wasm', module, ...more } } })
  }
  const readFile = (path: string): Uint8Array | undefined =>
    path === 'big.wasm' ? new Uint8Array(393_217) : path === 'text.txt' ? new Uint8Array(8) : path === 'x.wasm' ? WASM : undefined

  test('comes from one source', () => {
    const none = ensemble({ a: { executor: 'wasm', execution: { type: 'wasm', args: ['x'] } } })
    expect(errorsOf(none)).toEqual(['allocations.a.execution.module: is missing: the module, or image or module_path'])
    const two = ensemble({ a: { executor: 'wasm', execution: { type: 'wasm', image: 'a/b:1', module_path: '/data/x.wasm' } } })
    expect(errorsOf(two)).toEqual(['allocations.a.execution.module_path: stands beside image: a module has one source'])
    const one = ensemble({ a: { executor: 'wasm', execution: { type: 'wasm', image: 'a/b:1', cpu_time: '90s' } } })
    expect(accepted(one).ensemble.allocations.get('a')?.execution.params).toMatchObject({ image: 'a/b:1', cpu_time: 90 })
  })

  test.each([
    ['nope.wasm', 'does not exist'],
    ['../x.wasm', 'is outside the directory of the ensemble: paths with .. are not read'],
    ['/x.wasm', 'is outside the directory of the ensemble: only relative paths are read'],
    ['big.wasm', 'has 393217 bytes, at most 393216 fit into a message'],
    ['text.txt', 'is not a WebAssembly module'],
    ['base64:x', 'not canonical padded base64'],
    [`base64:${'A'.repeat(600_000)}`, 'has 450000 bytes, at most 393216 fit into a message'],
    [7, 'must be a text, is 7']
  ])('%s is refused', (module, message) => {
    expect(errorsOf(wasm(module), { readFile })).toEqual([`allocations.a.execution.module: ${message}`])
  })

  test('is refused where files cannot be read', () => {
    expect(errorsOf(wasm('x.wasm'))).toEqual([expect.stringContaining('this reader has no access to files')])
  })

  test.each(['1.5s', '0s', '8761h'])('with the timeout %s is refused', (timeout) => {
    expect(errorsOf(wasm('x.wasm', { timeout }), { readFile })).toHaveLength(1)
  })

  test('twice of the largest does not fit into a message', () => {
    const big = new Uint8Array(393_216)
    big.set(WASM)
    const a = allocation({ executor: 'wasm', execution: { type: 'wasm', module: 'm' } })
    const text = ensemble({ allocations: { a, b: a }, nodes: { n: { allocations: ['a', 'b'] } } })
    expect(errorsOf(text, { readFile: () => big })).toEqual([
      expect.stringMatching(/^: has \d+ bytes with its modules and scripts, at most 655360/)
    ])
    expect(errorsOf(wasm('m'), { readFile: () => big })).toEqual([])
  })

  test('goes into the parameters as base64, and its file is named', () => {
    const result = accepted(wasm('x.wasm', { args: ['-v'], environment: ['A=b'], timeout: '1m30s' }), { readFile })
    const execution = result.ensemble.allocations.get('a')?.execution
    expect(result.reads).toEqual(['x.wasm'])
    expect(execution?.params).toEqual({ module: 'AGFzbQEAAAA=', args: ['-v'], environment: ['A=b'], timeout: 90 })
    expect(execution === undefined ? undefined : viewExecution(execution)).toEqual({
      type: 'wasm',
      params: { module: WASM, args: ['-v'], environment: ['A=b'], timeout: 90_000 }
    })
  })
})

describe('placeholders', () => {
  test('that fail are the only complaint about their value', () => {
    expect(errorsOf(ensemble({ a: { resources: { ...RESOURCES, cpu: { cores: '${CORES}' } } } }))).toEqual([
      expect.stringMatching(/^allocations\.a\.resources\.cpu\.cores: the environment has no CORES/)
    ])
  })

  test('bring numbers, sizes, yes and no, and scripts', () => {
    const text = ensemble({
      a: {
        resources: { ...RESOURCES, cpu: { cores: '${CORES:-2}' } },
        execution: { type: 'docker', image: 'x', privileged: '${P:-true}' }
      },
      scripts: { setup: '${file:setup.sh}' }
    })
    const { ensemble: config, reads } = accepted(text, { readFile: () => 'echo hi\n', environment: { CORES: '0.5' } })
    expect(config.allocations.get('a')?.resources.cpu.cores).toBe(0.5)
    expect(config.allocations.get('a')?.execution.params).toEqual({ image: 'x', privileged: true })
    expect(new TextDecoder().decode(config.scripts.get('setup'))).toBe('echo hi\n')
    expect(reads).toEqual(['setup.sh'])
  })
})

describe('any text', () => {
  test('gives a result', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => void parseEnsemble(text)))
  })

  test('of YAML pieces gives a result', () => {
    const piece = fc.constantFrom(
      'version: V1',
      'allocations:',
      'nodes:',
      '  a:',
      '    type: task',
      '- ',
      '&x ',
      '*x',
      '<<: ',
      '{',
      '}',
      '[',
      ']',
      ': ',
      '? ',
      '|',
      '>',
      '"',
      "'",
      '#',
      '!!',
      '---',
      '%',
      '\n',
      '\t',
      '  ',
      'null',
      '~',
      '0',
      '__proto__',
      '${A}'
    )
    fc.assert(fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => void parseEnsemble(pieces.join(''))))
  })

  test('of JSON with known keys gives a result whose errors are told', () => {
    const key = fc.constantFrom(
      'version',
      'allocations',
      'nodes',
      'a',
      'resources',
      'execution',
      'type',
      'cpu',
      'ram',
      'size',
      'ports',
      'location',
      'accept',
      'volume',
      'keys',
      'supervisor',
      'children',
      'edge_constraints',
      'edges',
      '__proto__',
      'constructor'
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom(null, true, 0, -1, 1e300, '', 'a', 'V1', 'docker', 'task'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(key, tie('value'), { maxKeys: 5 })
      )
    }))
    fc.assert(
      fc.property(fc.dictionary(key, value, { maxKeys: 6 }), (tree) => {
        const result = parseEnsemble(JSON.stringify(tree))
        expect(result.ok || result.errors.length > 0).toBe(true)
      })
    )
  })
})
