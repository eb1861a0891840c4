import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { millis, minutes, silentLogger, systemClock } from '../../src/base/index.ts'
import { createDockerExecutor, defaultDockerSocket } from '../../src/executor/docker/index.ts'
import { createS3Publisher } from '../../src/storage/s3/index.ts'
import { BUSYBOX_IMAGE, loadBusyboxImage } from '../../src/testing/docker-image.ts'
import { requirement } from '../../src/testing/requirements.ts'
import { createMachines, createPair, eventually, type TestMachine, type TestMachines } from '../support/machine.ts'
import { type S3Server, startS3Server } from '../support/s3-server.ts'

const docker = await requirement('docker', () =>
  createDockerExecutor({ nodeId: 'probe', clock: systemClock, log: silentLogger }).probe()
)

interface Status {
  readonly status: string
  readonly error: string
}

describe.skipIf(!docker.available)(docker.title('data of a job'), () => {
  let machines: TestMachines
  let deployer: TestMachine
  let provider: TestMachine
  let server: S3Server

  beforeAll(async () => {
    await loadBusyboxImage(defaultDockerSocket({}))
    server = await startS3Server()
    machines = await createMachines()
    ;({ deployer, provider } = await createPair(machines))
    await provider.succeed('config', 'set', 'storage.allowed_private_endpoints', server.host)
    await restartProvider()
    const source = join(deployer.home, 'words')
    await writeFile(source, 'from a bucket\n')
    const rules = { allowedPrivate: [server.host], stallLimit: millis(5000), timeLimit: minutes(1) }
    await createS3Publisher({ clock: systemClock, rules }).publish({
      id: 'words',
      directory: deployer.home,
      spec: { ...server.place, prefix: 'in' },
      files: [{ path: 'words', source, size: 14 }]
    })
  })

  afterAll(async () => {
    await machines.dispose()
    await server.stop()
  })

  async function restartProvider(): Promise<void> {
    await provider.stop()
    await provider.start()
    const { listen_addr } = await provider.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
    await deployer.command('/dms/node/peers/connect', '--address', listen_addr.split(', ')[0] ?? '')
  }

  async function deploy(ensemble: object): Promise<{ readonly id: string; readonly status: Status }> {
    await writeFile(join(deployer.home, 'job.json'), JSON.stringify(ensemble))
    const { EnsembleID: id } = await deployer.command<{ readonly EnsembleID: string }>(
      '/dms/node/deployment/new',
      '-t',
      '60s',
      '-f',
      'job.json'
    )
    const status = await eventually('the end of the job', 150, async () => {
      const current = await deployer.command<Status>('/dms/node/deployment/status', '-i', id)
      return current.status === 'Completed' || current.status === 'Failed' ? current : undefined
    })
    return { id, status }
  }

  function job(script: string, more: object): object {
    return {
      version: 'V1',
      allocations: {
        hello: {
          type: 'task',
          executor: 'docker',
          resources: { cpu: { cores: 0.5 }, ram: { size: '64MiB' }, disk: { size: '64MiB' } },
          execution: { type: 'docker', image: BUSYBOX_IMAGE, cmd: ['sh', '-c', script] },
          ...more
        }
      },
      nodes: { anywhere: { allocations: ['hello'] } }
    }
  }

  const input = (more: object = {}) => ({ type: 's3', ...server.place, prefix: 'in', mount_destination: '/in', ...more })

  test('a bucket at a private address that the provider does not list is refused', async () => {
    const { status } = await deploy(job('true', { volume: [input({ endpoint: 'http://127.0.0.2:9' })] }))
    expect(status).toMatchObject({
      status: 'Failed',
      error: expect.stringContaining('storage.allowed_private_endpoints') as unknown
    })
  })

  test('what is fetched can be read and not changed', async () => {
    const { id, status } = await deploy(job('cat /in/words; touch /in/x || echo refused', { volume: [input()] }))
    expect(status).toMatchObject({ status: 'Completed' })
    const { stdout } = await deployer.command<{ readonly stdout: string }>('/dms/node/deployment/logs', '-i', id, '-a', 'hello')
    expect(stdout).toBe('from a bucket\nrefused\n')
  })

  test('outputs are published, fetched with nothing but their files, and stay when the provider goes', async () => {
    const script =
      'mkdir /outputs/deep && cat /in/words > /outputs/deep/copy && dd if=/dev/urandom of=/outputs/large bs=1M count=12 2>&1 && ' +
      'ln -s /etc/passwd /outputs/link && ln -s / /outputs/root && mkfifo /outputs/pipe && cat /outputs/large > /dev/null && exit 3'
    const publish = { type: 's3', ...server.place, prefix: 'out' }
    const { id, status } = await deploy(job(script, { volume: [input()], outputs: { publish } }))
    expect(status).toMatchObject({ status: 'Failed', error: expect.stringContaining('code 3') as unknown })
    await provider.stop()
    const listed = JSON.parse(await deployer.succeed('get', 'outputs', '-c', 'user', id, '--json')) as {
      readonly outputs: readonly { readonly path: string; readonly isHere: boolean }[]
    }
    expect(listed.outputs.map(({ path, isHere }) => [path, isHere])).toEqual([
      ['large', true],
      ['deep/copy', true]
    ])
    const { code, stderr } = await deployer.nunet(['get', 'outputs', '-c', 'user', id, 'hello', '--to', 'results'])
    expect([code, stderr]).toEqual([0, expect.stringContaining('published at s3://data/out/') as unknown])
    expect(stderr).toContain('3 links, devices and names that no other machine could have are left out')
    expect((await readdir(join(deployer.home, 'results'), { recursive: true })).sort()).toEqual(['deep', 'deep/copy', 'large'])
    expect(await readFile(join(deployer.home, 'results/deep/copy'), 'utf8')).toBe('from a bucket\n')
    const again = await deployer.nunet(['get', 'outputs', '-c', 'user', id, '--to', 'results'])
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('was there already') as unknown])
    await writeFile(join(deployer.home, 'results/large'), 'mine')
    const refused = await deployer.nunet(['get', 'outputs', '-c', 'user', id, '--to', 'results'])
    expect([refused.code, refused.stderr]).toEqual([65, expect.stringContaining('move it away first') as unknown])
    expect(server.requests.filter((line) => line.startsWith('PUT /data/out/')).length).toBeGreaterThan(2)
    await restartProvider()
  })

  test('outputs that are too much are stopped by their file system, and nothing stays mounted or on the disk', async () => {
    const { status } = await deploy(job('dd if=/dev/zero of=/outputs/large bs=1M count=100', { outputs: {} }))
    expect(status).toMatchObject({ status: 'Failed', error: expect.stringContaining('code 1') as unknown })
    await eventually('the end of all mounts', 30, async () =>
      (await readFile('/proc/self/mounts', 'utf8')).includes(provider.home) ? undefined : true
    )
    await eventually('the end of what was kept', 30, async () => {
      const left = [join(provider.home, 'work/volumes/jobs'), join(provider.home, 'work/volumes/outputs')]
      const names = await Promise.all(left.map((path) => readdir(path)))
      return names.flat().length === 0 ? true : undefined
    })
  })
})
