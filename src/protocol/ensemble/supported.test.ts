import { describe, expect, test } from 'vitest'
import type { EnsembleConfig } from './model.ts'
import { parseEnsemble } from './parse.ts'
import { checkActedOn, checkSupported } from './supported.ts'

const PLAIN = `
version: V1
allocations:
  web:
    type: service
    executor: docker
    resources: {cpu: {cores: 1}, ram: {size: 1}, disk: {size: 1}}
    execution: {type: docker, image: busybox, restart_policy: "no"}
nodes:
  n: {allocations: [web], location: {accept: [{continent: EU}]}, peer: QmPeer}
exclude_peers: [QmOther]
metadata: {app: web}
`

function parsed(text: string): EnsembleConfig {
  const result = parseEnsemble(text)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.ensemble
}

function withWeb(member: string): EnsembleConfig {
  return parsed(PLAIN.replace('    type: service', `    type: service\n    ${member}`))
}

function lines(issues: readonly { readonly path: string; readonly message: string }[]): string[] {
  return issues.map(({ path, message }) => `${path}: ${message}`)
}

test('only a task leaves outputs', () => {
  expect(lines(checkSupported(withWeb('outputs: {}')))).toEqual([
    'allocations.web.outputs: only a task, which ends by itself, leaves outputs'
  ])
})

describe('not supported yet', () => {
  test.each([
    [
      'volume: [{type: glusterfs, name: v, servers: [a], client_private_key: k, client_pem: p, client_ca: c, mount_destination: /d}]',
      'allocations.web.volume.0.type: volumes of type glusterfs are'
    ],
    ['healthcheck: {type: command, exec: [x]}', 'allocations.web.healthcheck: health checks of type command are'],
    ['healthcheck: {type: http, endpoint: "http://localhost/"}', 'allocations.web.healthcheck: health checks of type http are']
  ])('is an allocation with %s', (member, message) => {
    expect(lines(checkSupported(withWeb(member)))).toEqual([`${message} not supported by this version yet`])
  })

  test.each([
    [
      'standby nodes',
      PLAIN.replace('{allocations: [web],', '{allocations: [web], redundancy: 1,'),
      'nodes.n.redundancy: standby nodes are'
    ],
    ['a supervisor', `${PLAIN}supervisor: {strategy: OneForOne, allocations: [web]}`, 'supervisor: supervisor trees are'],
    ['the subnet', `${PLAIN}subnet: {join: true}`, 'subnet.join: joining the subnet is'],
    ['contracts', `${PLAIN}contracts: {c: {did: "did:key:z", host: "did:key:z"}}`, 'contracts: contracts are']
  ])('are %s', (_, text, message) => {
    expect(lines(checkSupported(parsed(text)))).toEqual([`${message} not supported by this version yet`])
  })

  test('are the contracts of an allocation', () => {
    const text = PLAIN.replace('    type: service', '    type: service\n    contracts: [c]')
    const config = parsed(`${text}contracts: {c: {did: "did:key:z", host: "did:key:z"}}`)
    expect(checkSupported(config).map(({ path }) => path)).toEqual(['allocations.web.contracts', 'contracts'])
  })

  test('are keys and scripts where a workload has no inside for them', () => {
    const members = '    provision: [s]\n    keys: [{type: ssh, file: k}]'
    const docker = `${PLAIN.replace('    type: service', `    type: service\n${members}`)}scripts: {s: echo}`
    expect(checkSupported(parsed(docker))).toEqual([])
    const nothing = `
version: V1
scripts: {s: echo}
allocations:
  a: {type: task, executor: "null", resources: {cpu: {cores: 1}, ram: {size: 1}, disk: {size: 1}}, execution: {type: "null"}, provision: [s], keys: [{type: ssh, file: k}]}
nodes: {n: {allocations: [a]}}`
    expect(lines(checkSupported(parsed(nothing)))).toEqual([
      'allocations.a.keys: the executor null puts no keys into a workload',
      'allocations.a.provision: the executor null runs no scripts'
    ])
  })

  test('are graphics cards for modules, not for containers', () => {
    const docker = PLAIN.replace('disk: {size: 1}', 'disk: {size: 1}, gpus: [{vendor: NVIDIA}]')
    expect(checkSupported(parsed(docker))).toEqual([])
    const wasm = docker
      .replace(/executor: \w+/, 'executor: wasm')
      .replace(/execution: .*/, 'execution: {type: wasm, module_path: /v/m.wasm}')
    expect(lines(checkSupported(parsed(wasm)))).toEqual([
      'allocations.web.resources.gpus: the executor wasm gives no graphics cards to a workload'
    ])
  })

  test('are ports of modules, not of containers', () => {
    const docker = PLAIN.replace(
      '{allocations: [web],',
      '{allocations: [web], ports: [{public: 0, private: 80, allocation: web}],'
    )
    expect(checkSupported(parsed(docker))).toEqual([])
    const wasm = docker
      .replace(/executor: \w+/, 'executor: wasm')
      .replace(/execution: .*/, 'execution: {type: wasm, module_path: /v/m.wasm}')
    expect(lines(checkSupported(parsed(wasm)))).toEqual(['nodes.n.ports.0: the executor wasm gives no ports to a workload'])
  })

  test('are edges', () => {
    const allocation =
      '{type: task, executor: "null", resources: {cpu: {cores: 1}, ram: {size: 1}, disk: {size: 1}}, execution: {type: "null"}}'
    const text = `{version: V1, allocations: {a: ${allocation}, b: ${allocation}}, nodes: {n: {allocations: [a]}, m: {allocations: [b]}}, edge_constraints: [{edges: [n, m], rtt: 5}]}`
    expect(lines(checkSupported(parsed(text)))).toEqual([
      'edge_constraints: edge constraints are not supported by this version yet'
    ])
  })

  test('are volumes and cards of micro machines, and kata', () => {
    const withExecutor = (name: string, extra = '') =>
      parsed(
        PLAIN.replace('executor: docker', `executor: ${name}`)
          .replace('type: docker', `type: ${name}${extra}`)
          .replace(', restart_policy: "no"', '')
      )
    const machine = `
version: V1
allocations:
  vm:
    type: task
    executor: firecracker
    resources: { cpu: { cores: 1 }, ram: { size: 64MiB }, disk: { size: 64MiB } }
    execution: { type: firecracker, kernel_image: k, root_file_system: r }
nodes: { n: { allocations: [vm] } }
`
    expect(checkSupported(parsed(machine))).toEqual([])
    const volume = '    volume: [{ type: local, src: data, mount_destination: /data }]\nnodes:'
    expect(lines(checkSupported(parsed(machine.replace('nodes:', volume))))).toEqual([
      'allocations.vm.volume: the executor firecracker has no volumes'
    ])
    const cards = machine.replace('disk: { size: 64MiB }', 'disk: { size: 64MiB }, gpus: [{ vendor: NVIDIA, model: T4 }]')
    expect(lines(checkSupported(parsed(cards)))).toEqual([
      expect.stringMatching(/^allocations\.vm\.resources\.gpus: .*firecracker/)
    ])
    expect(checkSupported(withExecutor('oci'))).toEqual([])
    expect(checkSupported(withExecutor('containerd', ', runtime: runc'))).toEqual([])
    expect(lines(checkSupported(withExecutor('containerd', ', runtime: kata')))).toEqual([
      'allocations.web.execution.runtime: the executor containerd has no kata here: micro-VMs are the executor firecracker'
    ])
  })

  test('is nothing of a plain ensemble with places, pins, exclusions and metadata', () => {
    expect(checkSupported(parsed(PLAIN))).toEqual([])
    expect(checkActedOn(parsed(PLAIN))).toEqual([])
  })
})

describe('not acted on yet', () => {
  const suffix = 'is not acted on by this version yet: what fails stays down'

  test.each([
    ['escalation_strategy', `${PLAIN}escalation_strategy: redeploy`, `escalation_strategy: redeploy ${suffix}`],
    [
      'the failure_recovery of a node',
      PLAIN.replace('{allocations: [web],', '{allocations: [web], failure_recovery: restart,'),
      `nodes.n.failure_recovery: restart ${suffix}`
    ],
    [
      'the failure_recovery of an allocation',
      PLAIN.replace('    type: service', '    type: service\n    failure_recovery: one_for_one'),
      `allocations.web.failure_recovery: one_for_one ${suffix}`
    ],
    ['restart_policy', PLAIN.replace('"no"', 'always'), `allocations.web.execution.restart_policy: always ${suffix}`]
  ])('is %s, which the reader of the file is told', (_, text, message) => {
    expect(lines(checkActedOn(parsed(text)))).toEqual([message])
    expect(lines(parseEnsemble(text).warnings)).toEqual([message])
  })
})
