import { describe, expect, test } from 'vitest'
import { type JsonValue, mebibytes } from '../../base/index.ts'
import type { Workload } from '../index.ts'
import { containerConfig, containerName, formerContainerName } from './container.ts'
import { parseDockerSpec } from './spec.ts'

function makeWorkload(spec: JsonValue, change: Partial<Workload> = {}): Workload {
  return {
    id: 'ensemble_node.alloc',
    spec,
    limits: { cpuCores: 0.5, memory: mebibytes(32), disk: mebibytes(64), pids: 32 },
    directory: '/tmp',
    allowPrivileged: false,
    ports: [],
    ...change
  }
}

function configOf(workload: Workload, withDiskLimit = false) {
  return containerConfig(workload, parseDockerSpec(workload), { nodeId: 'node', networkMode: 'none', withDiskLimit })
}

describe('the description of a container', () => {
  const port = { protocol: 'tcp' as const, hostAddress: '127.0.0.1', hostPort: 1, port: 80 }
  test.each<[string, JsonValue, Partial<Workload>, string]>([
    ['no map', [], {}, 'execution: must be a map'],
    ['an unknown field', { image: 'a', command: [] }, {}, 'command: '],
    ['no image', {}, {}, 'image: is missing'],
    ['an image in upper case', { image: 'Nginx' }, {}, 'image: "Nginx" is not part of'],
    ['a command that is a text', { image: 'a', cmd: 'ls' }, {}, 'cmd: must be a list'],
    ['a relative directory', { image: 'a', working_directory: 'x' }, {}, 'working_directory: must be absolute'],
    ['a variable with a bad name', { image: 'a', environment: { 'A=B': '1' } }, {}, 'environment.A=B: a name'],
    ['a zero byte', { image: 'a', environment: ['A=\0'] }, {}, 'environment.0: must not contain'],
    ['privileged as a text', { image: 'a', privileged: 'yes' }, {}, 'privileged: must be true or false'],
    ['an unknown restart policy', { image: 'a', restart_policy: 'never' }, {}, 'restart_policy: must be one of'],
    ['credentials without a name', { image: 'a', registry_auth: { password: 'x' } }, {}, 'registry_auth.username: must'],
    ['too little memory', { image: 'a' }, { limits: { ...makeWorkload({}).limits, memory: mebibytes(1) } }, 'limits.memory: '],
    ['no processes', { image: 'a' }, { limits: { ...makeWorkload({}).limits, pids: 0 } }, 'limits.pids: must be positive'],
    ['a host name to bind', { image: 'a' }, { ports: [{ ...port, hostAddress: 'localhost' }] }, 'ports.0.hostAddress: must'],
    [
      'a file at a path with ..',
      { image: 'a' },
      { files: [{ path: '/a/../b', content: new Uint8Array(), mode: 0o600 }] },
      'files.0.path: must'
    ],
    [
      'a file at the root',
      { image: 'a' },
      { files: [{ path: '/', content: new Uint8Array(), mode: 0o600 }] },
      'files.0.path: must'
    ],
    [
      'a file with setuid',
      { image: 'a' },
      { files: [{ path: '/a', content: new Uint8Array(), mode: 0o4755 }] },
      'files.0.mode: must'
    ],
    [
      'a script whose name is a path',
      { image: 'a' },
      { scripts: [{ name: '../x', content: new Uint8Array() }] },
      'scripts.0.name: must'
    ],
    [
      'files without end',
      { image: 'a' },
      { files: [{ path: '/a', content: new Uint8Array(2 ** 24 + 1), mode: 0 }] },
      'files: have'
    ],
    ['a mount at the root', { image: 'a' }, { mounts: [{ source: '/srv', target: '/', isReadOnly: true }] }, 'mounts.0: must'],
    ['a card without its id', { image: 'a' }, { gpus: [{ vendor: 'nvidia', devices: [] }] }, 'gpus.0.uuid: must'],
    ['a port over the range', { image: 'a' }, { ports: [port, { ...port, port: 65_536 }] }, 'ports.1.port: must']
  ])('is refused with %s', (_, spec, change, message) => {
    expect(() => parseDockerSpec(makeWorkload(spec, change))).toThrow(
      expect.objectContaining({ code: 'EXECUTOR_BAD_SPEC', message: expect.stringContaining(message) as unknown })
    )
  })

  test('never shows the password', () => {
    const spec = parseDockerSpec(makeWorkload({ image: 'a', registry_auth: { username: 'u', password: 'hunter2' } }))
    expect(JSON.stringify(spec)).not.toContain('hunter2')
    expect(spec.registryAuth?.password.reveal()).toBe('hunter2')
  })
})

describe('the container', () => {
  test('is confined: few capabilities, no way to gain more, nothing of Docker turned off', () => {
    const { HostConfig } = configOf(makeWorkload({ image: 'a' }))
    expect(HostConfig).toMatchObject({ Privileged: false, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] })
    expect(HostConfig['CapAdd']).not.toContain('NET_RAW')
    expect(HostConfig['CapAdd']).toHaveLength(8)
    expect(Object.keys(HostConfig)).not.toContain('Binds')
  })

  test('is privileged only where that is asked for and allowed, and keeps its limits', () => {
    const spec = { image: 'a', privileged: true }
    expect(() => configOf(makeWorkload(spec))).toThrow('does not allow privileged')
    const { HostConfig } = configOf(makeWorkload(spec, { allowPrivileged: true }))
    expect(HostConfig).toMatchObject({ Privileged: true, Memory: mebibytes(32), MemorySwap: mebibytes(32), PidsLimit: 32 })
    expect(configOf(makeWorkload({ image: 'a' }, { allowPrivileged: true })).HostConfig).toMatchObject({ Privileged: false })
  })

  test('has the cards of NVIDIA by their id, and the nodes of others with the groups that own them', () => {
    const gpus = [
      { vendor: 'nvidia', uuid: 'GPU-1de3037a-ce90', devices: ['/dev/nvidia0'] },
      { vendor: 'amd', devices: ['/dev/kfd', '/dev/dri/renderD128'] }
    ] as const
    const workload = makeWorkload({ image: 'a' }, { gpus })
    const options = { nodeId: 'node', networkMode: 'none', withDiskLimit: false, deviceGroups: [44] }
    expect(containerConfig(workload, parseDockerSpec(workload), options).HostConfig).toMatchObject({
      DeviceRequests: [{ DeviceIDs: ['GPU-1de3037a-ce90'], Capabilities: [['gpu']] }],
      Devices: [{ PathOnHost: '/dev/kfd' }, { PathOnHost: '/dev/dri/renderD128', CgroupPermissions: 'rw' }],
      GroupAdd: ['44']
    })
  })

  test('sees what is mounted, and passes on no mounts of this machine', () => {
    const mounts = [{ source: '/srv/a', target: '/a', isReadOnly: true }]
    expect(configOf(makeWorkload({ image: 'a' }, { mounts })).HostConfig['Mounts']).toEqual([
      { Type: 'bind', Source: '/srv/a', Target: '/a', ReadOnly: true, BindOptions: { Propagation: 'rprivate' } }
    ])
  })

  test('has a disk limit where that is possible', () => {
    expect(configOf(makeWorkload({ image: 'a' }), true).HostConfig).toMatchObject({ StorageOpt: { size: '67108864' } })
    expect(Object.keys(configOf(makeWorkload({ image: 'a' })).HostConfig)).not.toContain('StorageOpt')
  })

  test('publishes each port on its address, also several to one port inside', () => {
    const ports = [
      { protocol: 'tcp' as const, hostAddress: '10.0.0.2', hostPort: 8080, port: 80 },
      { protocol: 'udp' as const, hostAddress: '10.0.0.2', hostPort: 8080, port: 80 },
      { protocol: 'tcp' as const, hostAddress: '10.0.0.2', hostPort: 8081, port: 80 }
    ]
    const config = configOf(makeWorkload({ image: 'a' }, { ports }))
    expect(config['ExposedPorts']).toEqual({ '80/tcp': {}, '80/udp': {} })
    expect(config.HostConfig['PortBindings']).toEqual({
      '80/tcp': [
        { HostIp: '10.0.0.2', HostPort: '8080' },
        { HostIp: '10.0.0.2', HostPort: '8081' }
      ],
      '80/udp': [{ HostIp: '10.0.0.2', HostPort: '8080' }]
    })
  })

  test('is named after allocation and node, so that nodes that share a daemon do not collide', () => {
    const [one, other] = ['12D3KooWAaaaaaaaaaaaaaaaaaaaaaa1', '12D3KooWAaaaaaaaaaaaaaaaaaaaaaa2']
    expect(containerName(one ?? '', 'ensemble_node.alloc')).toBe('ensemble_node.alloc.aaaaaaaaaaa1')
    expect(containerName(other ?? '', 'ensemble_node.alloc')).toBe('ensemble_node.alloc.aaaaaaaaaaa2')
  })

  test('was named after the allocation alone, and longer where Docker wants that', () => {
    expect(formerContainerName('ensemble_node.alloc')).toBe('ensemble_node.alloc')
    expect(formerContainerName('x')).toBe('nunet-x')
  })
})
