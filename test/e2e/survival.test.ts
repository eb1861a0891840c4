import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { createDockerExecutor, defaultDockerSocket } from '../../src/executor/docker/index.ts'
import { BUSYBOX_IMAGE, loadBusyboxImage } from '../../src/testing/docker-image.ts'
import { requirement } from '../../src/testing/requirements.ts'
import { createMachines, createPair, eventually, type TestMachine, type TestMachines } from '../support/machine.ts'

const run = promisify(execFile)

const docker = await requirement('docker', () =>
  createDockerExecutor({ nodeId: 'probe', clock: systemClock, log: silentLogger }).probe()
)

interface Status {
  readonly status: string
  readonly error: string
  readonly events: readonly { readonly text: string }[]
}

/** A job that takes a while and proves at its end that it ran in one piece. */
const ENSEMBLE = `
version: V1
allocations:
  job:
    type: task
    executor: docker
    resources: { cpu: { cores: 0.5 }, ram: { size: 64MiB }, disk: { size: 16MiB } }
    execution:
      type: docker
      image: ${BUSYBOX_IMAGE}
      cmd: [sh, -c, "echo begin; sleep 15; echo end"]
nodes:
  node1:
    allocations: [job]
`

describe.skipIf(!docker.available)(docker.title('a job survives the death of a daemon'), () => {
  let machines: TestMachines
  let deployer: TestMachine
  let provider: TestMachine

  beforeAll(async () => {
    await loadBusyboxImage(defaultDockerSocket({}))
    machines = await createMachines()
    ;({ deployer, provider } = await createPair(machines))
    await writeFile(join(deployer.home, 'job.yaml'), ENSEMBLE)
  })

  afterAll(async () => {
    await machines.dispose()
  })

  async function deploy(): Promise<string> {
    const { EnsembleID } = await deployer.command<{ readonly EnsembleID: string }>(
      '/dms/node/deployment/new',
      '-t',
      '90s',
      '-f',
      'job.yaml'
    )
    await eventually('the start of the job', 60, async () =>
      (await statusOf(EnsembleID)).status === 'Running' ? true : undefined
    )
    return EnsembleID
  }

  const statusOf = (id: string) => deployer.command<Status>('/dms/node/deployment/status', '-i', id)

  /** Id and start time of the job's container: both change when it is disturbed. */
  async function container(id: string): Promise<string> {
    const label = `label=nunet.allocation=${id}_node1.job`
    const { stdout: found } = await run('docker', ['ps', '-aq', '--no-trunc', '--filter', label])
    const { stdout } = await run('docker', ['inspect', '-f', '{{.Id}} {{.State.StartedAt}} {{.State.Running}}', found.trim()])
    return stdout.trim()
  }

  async function expectDelivered(id: string): Promise<void> {
    const status = await eventually('the end of the job', 90, async () => {
      const current = await statusOf(id)
      if (current.status === 'Failed') throw new Error(current.error)
      return current.status === 'Completed' ? current : undefined
    })
    expect(status.events.at(-1)?.text).toBe('completed')
    const logs = await deployer.command<{ readonly stdout: string; readonly LogsWrittenTo: string }>(
      '/dms/node/deployment/logs',
      '-i',
      id,
      '-a',
      'node1.job'
    )
    expect(logs.stdout).toBe('begin\nend\n')
    expect(await readFile(join(logs.LogsWrittenTo, 'stdout.log'), 'utf8')).toBe('begin\nend\n')
    await eventually('the removal of the container', 30, async () =>
      (await run('docker', ['ps', '-aq', '--filter', `name=${id}`])).stdout === '' ? true : undefined
    )
  }

  test('kill -9 of the provider: the container runs on, is found again, and its output arrives', async () => {
    const id = await deploy()
    const before = await container(id)
    await provider.stop('SIGKILL')
    expect(await container(id)).toBe(before)
    await provider.start()
    expect(await container(id)).toBe(before)
    await expectDelivered(id)
    const { Resources } = await provider.command<{ readonly Resources: { readonly cpu: { readonly cores: number } } }>(
      '/dms/node/resources/free'
    )
    expect(Resources.cpu.cores).toBe(1)
  })

  test('kill -9 of the deployer: the deployment is resumed and its output arrives', async () => {
    const id = await deploy()
    const before = await container(id)
    await deployer.stop('SIGKILL')
    await deployer.start()
    expect(await container(id)).toBe(before)
    await expectDelivered(id)
  })
})
