import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { encodeGoJson, parseJson } from '../../base/index.ts'
import { parseEnsemble } from './parse.ts'
import { decodeEnsemble, encodeEnsemble } from './wire.ts'

const ROOT = join(import.meta.dirname, '../../../test/vectors/ensembles')

/** What the reference's tests put in place of the literal line `{$contract}`. */
const CONTRACTS = 'contracts:\n  contract1:\n    did: did:key:zContract\n    host: did:key:zHost'

type Expected =
  | { readonly outcome: 'accept' }
  | { readonly outcome: 'warn'; readonly warnings: readonly RegExp[] }
  | { readonly outcome: 'reject'; readonly errors: readonly RegExp[] }

const noType = /^allocations\.alloc1\.type: is missing and taken as service/
const strayDnsName = /dnsname: is not a known key and is ignored \(did you mean dns_name\?\)$/

/** The outcome of every file, as its README says; rejects marked ☆ there are accepted with a warning. */
const OUTCOMES: Readonly<Record<string, Expected>> = {
  'acceptance/containerd_hello.yaml': { outcome: 'accept' },
  'acceptance/docker_hello_china.yaml': { outcome: 'accept' },
  'acceptance/two_allocs_one_node.yaml': { outcome: 'accept' },
  'docs/deployments-basic.yaml': { outcome: 'warn', warnings: [strayDnsName] },
  'docs/ensemble-multi-node-gpu.yaml': { outcome: 'accept' },
  'docs/ensemble-single-service.yaml': { outcome: 'accept' },
  'e2e/complex-deployment-1.yaml': {
    outcome: 'warn',
    warnings: [
      /task-allocation-1\.execution\.args: is not a known key/,
      /service-allocation-1\.execution\.args: is not a known key/
    ]
  },
  'e2e/hello-contract.yaml': { outcome: 'accept' },
  'e2e/nginx-with-redundancy.yaml': { outcome: 'warn', warnings: [strayDnsName, strayDnsName] },
  'e2e/update_multiple.yaml': { outcome: 'warn', warnings: [strayDnsName] },
  'examples/docker_hello.yaml': { outcome: 'warn', warnings: [noType] },
  'examples/docker_nginx.yaml': {
    outcome: 'reject',
    errors: [
      /cpu\.clockspeed: must be at most 1000 GHz/,
      /disk\.type: must not be empty/,
      /healthcheck: must be a map with type: command or http, is a text/,
      /ports\.0\.public: must be 0 for any port, or from 1025 to 65535, is 1/
    ]
  },
  'examples/firefly.yaml': {
    outcome: 'warn',
    warnings: [/fireflybootstrap\.volume: should be a list/, /fireflyvalidator\.volume: should be a list/]
  },
  'examples/multiple_allocation.yaml': {
    outcome: 'reject',
    errors: [/alloc1\.depends_on\.0: alloc2 is on node node2, not on node1: a dependency must be on the same node/]
  },
  'jobs-sample/docker_firecracker_sample.yaml': {
    outcome: 'reject',
    errors: [
      /alloc1\.resources\.cpu\.clockspeed/,
      /alloc1\.resources\.disk\.type/,
      /alloc1\.execution\.environment\.0: must be KEY=VALUE/,
      /alloc1\.healthcheck: must be a map/,
      /alloc2\.resources\.cpu\.clockspeed/,
      /alloc2\.resources\.disk\.type/,
      /alloc2\.healthcheck: must be a map/,
      /node1\.ports\.0\.public: .* is 1$/,
      /node2\.ports\.0\.public: .* is 1$/,
      /supervisor\.children\.0\.strategy: must be one of OneForOne, AllForOne, RestForOne, is ""/,
      /keys\.keys1: must be a map, is a text/,
      /keys\.keys2: must be a map, is a text/
    ]
  },
  'jobs-sample/ensemble.yaml': {
    outcome: 'reject',
    errors: [
      /node1\.location\.accept\.0\.continent: is missing/,
      /node1\.location\.accept\.0\.region: is not supported: name the continent/,
      /node2\.allocations: is missing/,
      /node2\.location\.accept\.0\.continent: is missing/,
      /node2\.location\.accept\.0\.region: is not supported: name the continent/,
      /keys\.worker1-key: must be a map, is a text/,
      /keys\.worker2-key: must be a map, is a text/,
      /keys\.vm1-key: must be a map, is a text/
    ]
  }
}

const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.yaml'))
  .sort()

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8').replace(/^\{\$contract\}$/m, CONTRACTS)
}

function lines(issues: readonly { readonly path: string; readonly message: string }[]): string[] {
  return issues.map(({ path, message }) => `${path}: ${message}`)
}

function expectMatches(found: readonly string[], patterns: readonly RegExp[]): void {
  expect(found.length, found.join('\n')).toBe(patterns.length)
  for (const [index, pattern] of patterns.entries()) expect(found[index]).toMatch(pattern)
}

describe('the ensemble files of the reference', () => {
  test('each have an expected outcome', () => {
    expect(files).toEqual(Object.keys(OUTCOMES).sort())
  })

  test.each(files.filter((path) => OUTCOMES[path]?.outcome === 'reject'))('%s is rejected for every reason at once', (path) => {
    const result = parseEnsemble(read(path))
    const expected = OUTCOMES[path]
    if (result.ok || expected?.outcome !== 'reject') return expect.unreachable()
    expectMatches(lines(result.errors), expected.errors)
    for (const { line, column } of result.errors) expect([line, column]).toEqual([expect.any(Number), expect.any(Number)])
  })

  test.each(files.filter((path) => OUTCOMES[path]?.outcome !== 'reject'))('%s is accepted', (path) => {
    const result = parseEnsemble(read(path))
    const expected = OUTCOMES[path]
    if (!result.ok || expected === undefined) return expect(result).toHaveProperty('ok', true)
    expectMatches(lines(result.warnings), expected.outcome === 'warn' ? expected.warnings : [])
    const wire = parseJson(encodeGoJson(encodeEnsemble(result.ensemble)))
    expect(wire.ok && decodeEnsemble(wire.value)).toEqual({ ok: true, value: result.ensemble })
  })
})

describe('what the files exercise', () => {
  function parsed(path: string) {
    const result = parseEnsemble(read(path))
    if (!result.ok) throw new Error(lines(result.errors).join('\n'))
    return result.ensemble
  }

  test('fractional sizes, and an alias used twice', () => {
    const { allocations, nodes, subnet } = parsed('acceptance/two_allocs_one_node.yaml')
    expect([...allocations.keys()]).toEqual(['nginx1', 'nginx2'])
    expect([...allocations.values()].map(({ resources, dnsName }) => [resources.ram.size, dnsName])).toEqual([
      [2 ** 29, 'nginx1'],
      [2 ** 29, 'nginx2']
    ])
    expect(nodes.get('node1')?.ports[1]).toEqual({ public: 50002, private: 80, allocation: 'nginx2' })
    expect(subnet).toEqual({ join: true })
  })

  test('VRAM is in GiB, which the reference gets wrong', () => {
    const { allocations } = parsed('docs/ensemble-multi-node-gpu.yaml')
    expect(allocations.get('nginx1')?.resources.gpus).toEqual([{ vendor: 'NVIDIA', vram: 2 * 2 ** 30 }])
  })

  test('a volume that is not in a list', () => {
    const { allocations } = parsed('examples/firefly.yaml')
    expect(allocations.get('fireflybootstrap')?.volumes).toMatchObject([{ type: 'glusterfs', servers: ['192.0.2.10'] }])
  })

  test('contracts of the test harness', () => {
    const { contracts } = parsed('e2e/hello-contract.yaml')
    expect(contracts.get('contract1')).toEqual({ did: 'did:key:zContract', host: 'did:key:zHost' })
  })
})

describe('the examples', () => {
  const folder = join(import.meta.dirname, '../../../examples')
  const module = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

  test.each(readdirSync(folder).filter((name) => name.endsWith('.yaml')))('%s can be deployed by this version', (name) => {
    const result = parseEnsemble(readFileSync(join(folder, name), 'utf8'), { readFile: () => module })
    expect(result).toMatchObject({ ok: true, warnings: [], unsupported: [] })
  })
})
