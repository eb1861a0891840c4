import { bytes, errorMessage, type JsonValue, silentLogger, systemClock } from '../../src/base/index.ts'
import { createDockerExecutor } from '../../src/executor/docker/index.ts'
import type { Executor, Workload } from '../../src/executor/index.ts'
import { createOciExecutor, type ImageSource } from '../../src/executor/oci/index.ts'
import { createWasmExecutor } from '../../src/executor/wasm/index.ts'
import type { Lab } from '../lab/lab.ts'
import { type Attempt, brief } from './attempt.ts'

interface Names {
  readonly allocation?: string
  readonly node?: string
  readonly more?: string
  readonly image?: string
  readonly top?: string
}

function ensemble({ allocation = 'job', node = 'node1', more = '', image = 'nunet-test/abuse:latest', top = '' }: Names): string {
  return `
version: V1
${top}
allocations:
  ${JSON.stringify(allocation)}:
    type: task
    executor: docker
    resources: { cpu: { cores: 0.1 }, ram: { size: 32MiB }, disk: { size: 4MiB } }
    ${more}
    execution: { type: docker, image: ${JSON.stringify(image)}, cmd: ["true"] }
nodes:
  ${JSON.stringify(node)}:
    allocations: [${JSON.stringify(allocation)}]
`
}

/** Everything in an ensemble that a user names and that becomes, or could become, a path of somebody. */
const HOSTILE: readonly (readonly [name: string, ensemble: string])[] = Object.freeze([
  ['an allocation that leaves its directory', ensemble({ allocation: '../../../tmp/owned' })],
  ['an allocation with a slash', ensemble({ allocation: 'a/b' })],
  ['an allocation that is a dot', ensemble({ allocation: '..' })],
  ['an allocation with a zero byte', ensemble({ allocation: 'a\0b' })],
  ['a node that leaves its directory', ensemble({ node: '../../etc' })],
  ['an image that is a path', ensemble({ image: '../../../etc/shadow' })],
  ['an image that is an option', ensemble({ image: '--privileged' })],
  [
    'a volume that leaves its directory',
    ensemble({ more: 'volume: [{ type: local, src: "../../../etc", mount_destination: /data }]' })
  ],
  ['a volume at the root of the machine', ensemble({ more: 'volume: [{ type: local, src: "/", mount_destination: /data }]' })],
  ['a volume over /proc', ensemble({ more: 'volume: [{ type: local, src: x, mount_destination: /proc }]' })],
  ['a volume mounted outside', ensemble({ more: 'volume: [{ type: local, src: x, mount_destination: "/data/../../etc" }]' })],
  [
    'a key at a place outside',
    ensemble({ top: 'keys: { k: { type: file, files: [{ name: k, src: x, dest: "/../../etc/cron.d/x" }] } }', more: 'keys: [k]' })
  ],
  [
    'a script that leaves its directory',
    ensemble({ top: 'scripts: { "../../etc/cron.d/x": "echo owned" }', more: 'provision: ["../../etc/cron.d/x"]' })
  ]
] as const)

/** Deploys ensembles with hostile names; refusing one, by its owner's own program or by the provider, contains it. */
export async function attackByNames(lab: Lab): Promise<readonly Attempt[]> {
  const attempts: Attempt[] = []
  for (const [name, text] of HOSTILE) {
    const refusal = await lab.deploy(text).then(
      async (id) => {
        const { status, error } = await lab.ended(id, 120)
        return status === 'Failed' ? error : undefined
      },
      (error: unknown) => errorMessage(error)
    )
    attempts.push({
      name,
      executor: 'ensemble',
      isContained: refusal !== undefined,
      evidence: brief(refusal?.replace(/^.*ended with \d+: /s, '') ?? 'it was run')
    })
  }
  return attempts
}

/** What an executor itself must refuse, whatever stands between it and the user. */
export async function attackExecutors(directory: string): Promise<readonly Attempt[]> {
  const executors = [
    {
      executor: createDockerExecutor({ nodeId: 'abuse', clock: systemClock, log: silentLogger }),
      spec: { image: 'a/b', cmd: ['true'] }
    },
    {
      executor: createOciExecutor({ directory, images: NO_IMAGES, clock: systemClock, log: silentLogger }),
      spec: { image: 'a/b', cmd: ['true'] }
    },
    {
      executor: createWasmExecutor({ directory, clock: systemClock, log: silentLogger }),
      spec: { module: 'AGFzbQEAAAA=' }
    }
  ]
  const attempts = executors.flatMap(({ executor, spec }) => HOSTILE_WORKLOADS.map((hostile) => refuses(executor, spec, hostile)))
  return await Promise.all(attempts)
}

/** Nothing gets as far as an image. */
const NO_IMAGES: ImageSource = { prepare: () => Promise.reject(new Error('no image')), release: () => Promise.resolve() }

const HOSTILE_WORKLOADS: readonly (readonly [name: string, change: Partial<Workload>])[] = Object.freeze([
  ['a workload named ../../x', { id: '../../x' }],
  ['a workload named -rf', { id: '-rf' }],
  ['a file at /a/../../etc/passwd', { files: [{ path: '/a/../../etc/passwd', content: new Uint8Array(), mode: 0o644 }] }],
  ['a file at a relative path', { files: [{ path: 'etc/passwd', content: new Uint8Array(), mode: 0o644 }] }],
  ['a mount at /a/../../etc', { mounts: [{ source: '/tmp', target: '/a/../../etc', isReadOnly: false }] }],
  ['a script named ../x', { scripts: [{ name: '../x', content: new Uint8Array() }] }],
  ['a directory that is relative', { directory: 'jobs' }],
  ['a port beyond all ports', { ports: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 70_000, port: 80 }] }]
] as const)

async function refuses(
  executor: Executor,
  spec: JsonValue,
  [name, change]: (typeof HOSTILE_WORKLOADS)[number]
): Promise<Attempt> {
  const workload: Workload = {
    id: 'abuse',
    spec,
    limits: { cpuCores: 1, memory: bytes(2 ** 26), disk: bytes(2 ** 20), pids: 10 },
    directory: '/nowhere',
    allowPrivileged: false,
    ports: [],
    ...change
  }
  try {
    await executor.check(workload)
    return { name, executor: executor.kind, isContained: false, evidence: 'it was accepted' }
  } catch (error) {
    return { name, executor: executor.kind, isContained: true, evidence: brief(errorMessage(error)) }
  }
}
