import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { createDockerExecutor, defaultDockerSocket } from '../../src/executor/docker/index.ts'
import { BUSYBOX_IMAGE, loadBusyboxImage } from '../../src/testing/docker-image.ts'
import { requirement } from '../../src/testing/requirements.ts'
import { createMachines, eventually, type TestMachine, type TestMachines } from '../support/machine.ts'

const docker = await requirement('docker', () =>
  createDockerExecutor({ nodeId: 'probe', clock: systemClock, log: silentLogger }).probe()
)

interface Status {
  readonly status: string
  readonly error: string
}

describe.skipIf(!docker.available)(docker.title('a job that is prepared by scripts and keys'), () => {
  let machines: TestMachines
  let deployer: TestMachine
  let provider: TestMachine
  let example: string

  beforeAll(async () => {
    await loadBusyboxImage(defaultDockerSocket({}))
    const text = await readFile(new URL('../../examples/provision.yaml', import.meta.url), 'utf8')
    example = text.replace('nunet-demo/busybox:latest', BUSYBOX_IMAGE)
    machines = await createMachines()
    deployer = await machines.create('deployer')
    provider = await machines.create('provider')
    await Promise.all([machines.trust(provider, deployer), machines.trust(deployer, provider)])
    await Promise.all([deployer.start(), provider.start()])
    const { listen_addr } = await provider.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
    await deployer.command('/dms/node/peers/connect', '--address', listen_addr.split(', ')[0] ?? '')
    const { Resources } = await provider.command<{ readonly Resources: { readonly ram: { readonly size: number } } }>(
      '/dms/node/hardware/spec'
    )
    const ram = (Resources.ram.size / 2 ** 30 / 2).toFixed(1)
    await provider.command('/dms/node/onboarding/onboard', '--cpu', '1', '--ram', ram, '--disk', '2', '--no-gpu')
  })

  afterAll(async () => {
    await machines.dispose()
  })

  async function deploy(ensemble: string): Promise<{ readonly id: string; readonly status: Status }> {
    await writeFile(join(deployer.home, 'job.yaml'), ensemble)
    const { EnsembleID: id } = await deployer.command<{ readonly EnsembleID: string }>(
      '/dms/node/deployment/new',
      '-t',
      '90s',
      '-f',
      'job.yaml'
    )
    const status = await eventually('the end of the job', 90, async () => {
      const current = await deployer.command<Status>('/dms/node/deployment/status', '-i', id)
      return current.status === 'Completed' || current.status === 'Failed' ? current : undefined
    })
    return { id, status }
  }

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

  test('fails with the code of a script that fails, and its program never runs', async () => {
    const { id, status } = await deploy(example.replace('grep -q greet', 'grep -q nobody'))
    expect(status).toMatchObject({ status: 'Failed', error: expect.stringContaining('code 1') as unknown })
    expect(await outputOf(id)).toBe('')
  })

  test('finds what they made, and its keys', async () => {
    const { id, status } = await deploy(example)
    expect(status).toMatchObject({ status: 'Completed' })
    expect(await outputOf(id)).toBe('prepared by greet\nnot really a secret')
  })
})
