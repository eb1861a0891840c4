import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { createDockerExecutor, defaultDockerSocket } from '../../src/executor/docker/index.ts'
import { BUSYBOX_IMAGE, loadBusyboxImage } from '../../src/testing/docker-image.ts'
import { requirement } from '../../src/testing/requirements.ts'
import { createMachines, createPair, eventually, type TestMachine, type TestMachines } from '../support/machine.ts'

const docker = await requirement('docker', () =>
  createDockerExecutor({ nodeId: 'probe', clock: systemClock, log: silentLogger }).probe()
)

/** An example with the image of the tests. */
async function exampleOf(name: string): Promise<string> {
  const text = await readFile(new URL(`../../examples/${name}`, import.meta.url), 'utf8')
  return text.replace('nunet-demo/busybox:latest', BUSYBOX_IMAGE)
}

interface Status {
  readonly status: string
  readonly error: string
}

interface Manifest {
  readonly manifest: { readonly allocations: Readonly<Record<string, { readonly ports: Readonly<Record<string, number>> }>> }
}

/** A web server with one page, at a port that its machine chooses. */
const WEB = `
version: V1
allocations:
  web:
    type: service
    executor: docker
    resources: {cpu: {cores: 0.5}, ram: {size: 0.125}, disk: {size: 0.5}}
    execution:
      type: docker
      image: ${BUSYBOX_IMAGE}
      cmd: [sh, -c, 'mkdir /tmp/www && echo hello > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www']
nodes:
  anywhere:
    allocations: [web]
    ports: [{public: 0, private: 8080, allocation: web}]
`

describe.skipIf(!docker.available)(docker.title('what a container is given: scripts, keys, volumes, ports'), () => {
  let machines: TestMachines
  let deployer: TestMachine
  let provider: TestMachine
  let example: string
  let counting: string

  beforeAll(async () => {
    await loadBusyboxImage(defaultDockerSocket({}))
    example = await exampleOf('provision.yaml')
    counting = await exampleOf('volume.yaml')
    machines = await createMachines()
    ;({ deployer, provider } = await createPair(machines))
  })

  afterAll(async () => {
    await machines.dispose()
  })

  /** The deployer looks for a machine that runs the job for as long as it is told, also after a refusal. */
  async function deploy(ensemble: string): Promise<{ readonly id: string; readonly status: Status }> {
    const { EnsembleID: id } = await deployFile(ensemble)
    const status = await eventually('the end of the job', 110, async () => {
      const current = await statusOf(id)
      return current.status === 'Completed' || current.status === 'Failed' ? current : undefined
    })
    return { id, status }
  }

  async function deployFile(ensemble: string): Promise<{ readonly EnsembleID: string }> {
    await writeFile(join(deployer.home, 'job.yaml'), ensemble)
    return await deployer.command('/dms/node/deployment/new', '-t', '90s', '-f', 'job.yaml')
  }

  const statusOf = (id: string): Promise<Status> => deployer.command<Status>('/dms/node/deployment/status', '-i', id)

  async function outputOf(id: string): Promise<string> {
    const logs = await deployer.command<{ readonly stdout: string }>(
      '/dms/node/deployment/logs',
      '-i',
      id,
      '-a',
      'anywhere.hello'
    )
    return logs.stdout
  }

  test('a job fails with the code of a script that fails, and its program never runs', async () => {
    const { id, status } = await deploy(example.replace('grep -q greet', 'grep -q nobody'))
    expect(status).toMatchObject({ status: 'Failed', error: expect.stringContaining('code 1') as unknown })
    expect(await outputOf(id)).toBe('')
  })

  test('a path of the machine is not among the volumes', async () => {
    const before = performance.now()
    const { status } = await deploy(counting.replace('src: counter', 'src: /etc'))
    expect(performance.now() - before).toBeLessThan(40_000)
    expect(status).toMatchObject({ status: 'Failed', error: expect.stringContaining('/etc') as unknown })
  })

  test('a named volume keeps what one job wrote for the next, and nothing stays mounted', async () => {
    const runs: string[] = []
    for (let run = 0; run < 2; run += 1) {
      const { id, status } = await deploy(counting)
      expect(status).toMatchObject({ status: 'Completed' })
      runs.push((await outputOf(id)).trim())
    }
    expect(runs).toEqual(['1', '2'])
    const { volumes } = await provider.command<{
      readonly volumes: readonly { readonly owner: string; readonly name: string }[]
    }>('/dms/node/volumes/list')
    expect(volumes).toMatchObject([{ type: 'local', name: 'counter' }])
    await eventually('the end of the mount', 30, async () =>
      (await readFile('/proc/self/mounts', 'utf8')).includes(provider.home) ? undefined : true
    )
    const owner = volumes[0]?.owner ?? ''
    await expect(provider.command('/dms/node/volumes/delete', '--owner', owner, '--name', 'other')).rejects.toThrow()
    await provider.command('/dms/node/volumes/delete', '--owner', owner, '--name', 'counter')
    expect(await provider.command('/dms/node/volumes/list')).toMatchObject({ volumes: [], total: 0 })
  })

  test('a port that the machine chose leads to the job, is in the manifest, and is closed with the job', async () => {
    const { EnsembleID: id } = await deployFile(WEB)
    await eventually('the web server', 60, async () => ((await statusOf(id)).status === 'Running' ? true : undefined))
    const { manifest } = await deployer.command<Manifest>('/dms/node/deployment/manifest', '-i', id)
    const [port = '0'] = Object.keys(manifest.allocations['anywhere.web']?.ports ?? {})
    const page = (): Promise<string> => fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text())
    expect(await eventually('the page', 20, () => page().catch(() => undefined))).toBe('hello\n')
    await deployer.command('/dms/node/deployment/shutdown', '-i', id)
    await eventually('the end of the web server', 60, async () => (await statusOf(id)).status !== 'ShuttingDown' || undefined)
    await expect(page()).rejects.toThrow('fetch failed')
  })

  test('a job finds what its scripts made, and its keys', async () => {
    const { id, status } = await deploy(example)
    expect(status).toMatchObject({ status: 'Completed' })
    expect(await outputOf(id)).toBe('prepared by greet\nnot really a secret')
  })
})
