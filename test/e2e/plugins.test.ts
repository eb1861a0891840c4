import { execFile } from 'node:child_process'
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMachines, eventually, type TestMachine, type TestMachines } from '../support/machine.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const containing = (text: string): unknown => expect.stringContaining(text)

const ENSEMBLE = `
version: V1
allocations:
  hello:
    type: task
    executor: echo
    resources: { cpu: { cores: 0.5 }, ram: { size: 64MiB }, disk: { size: 16MiB } }
    execution: { type: echo, text: "said by a plugin\\n", seconds: 1, code: 0 }
nodes:
  node1:
    allocations: [hello]
`

interface Status {
  readonly status: string
  readonly error: string
}

interface OwnStatus {
  readonly executors: readonly { readonly name: string; readonly available: boolean; readonly reason?: string }[]
}

describe('a plugin in a package of its own', () => {
  let machines: TestMachines
  let deployer: TestMachine
  let provider: TestMachine
  let echo: string

  beforeAll(async () => {
    machines = await createMachines()
    deployer = await machines.create('deployer')
    provider = await machines.create('provider')
    await Promise.all([machines.trust(provider, deployer), machines.trust(deployer, provider)])
    echo = join(provider.home, 'nunet-plugin-echo')
    await cp(join(ROOT, 'examples/plugin-echo'), echo, { recursive: true })
    await mkdir(join(echo, 'node_modules/@nunet'), { recursive: true })
    await symlink(ROOT, join(echo, 'node_modules/@nunet/dms'))
    await writeFile(join(deployer.home, 'hello.yaml'), ENSEMBLE)
  })
  afterAll(() => machines.dispose())

  test('passes the rules of every executor, run by its author', async () => {
    const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', 'echo-executor.test.js'], { cwd: echo })
    expect(stdout).toMatch(/^# pass [1-9]\d$/m)
    expect(stdout).toMatch(/^# fail 0$/m)
  })

  test('runs a job of somebody who does not have it; a broken one beside it is named and stops nothing', async () => {
    const broken = join(provider.home, 'broken')
    await mkdir(broken)
    const manifest = { name: 'broken', type: 'module', exports: './index.js', nunet: { apiVersion: 1, executors: ['broken'] } }
    await writeFile(join(broken, 'package.json'), JSON.stringify(manifest))
    await writeFile(
      join(broken, 'index.js'),
      'setTimeout(() => { throw new Error("nobody catches this") }); await new Promise(() => {})'
    )
    await provider.succeed('config', 'set', 'plugins.packages', JSON.stringify([echo, broken, '@acme/missing']))
    await deployer.succeed('config', 'set', 'plugins.remote_executors', 'echo')
    await Promise.all([deployer.start(), provider.start()])
    const answer = await provider.command<Readonly<Record<string, OwnStatus>>>('/dms/node/status')
    const executors = answer[provider.dms.peerId]?.executors ?? []
    const byName = new Map(executors.map(({ name, ...rest }) => [name, rest]))
    expect(byName.get('echo')).toMatchObject({ available: true })
    expect(byName.get('broken')).toMatchObject({ available: false, reason: containing('nobody catches this') })
    expect(byName.get('@acme/missing')).toMatchObject({ available: false, reason: containing('npm install') })

    const { listen_addr } = await provider.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
    await deployer.command('/dms/node/peers/connect', '--address', listen_addr.split(', ')[0] ?? '')
    const { Resources } = await provider.command<{ readonly Resources: { readonly ram: { readonly size: number } } }>(
      '/dms/node/hardware/spec'
    )
    const ram = (Resources.ram.size / 2 ** 30 / 2).toFixed(1)
    await provider.command('/dms/node/onboarding/onboard', '--cpu', '1', '--ram', ram, '--disk', '2', '--no-gpu')
    const { EnsembleID } = await deployer.command<{ readonly EnsembleID: string }>(
      '/dms/node/deployment/new',
      '-t',
      '90s',
      '-f',
      'hello.yaml'
    )
    await eventually('the end of the job', 60, async () => {
      const { status, error } = await deployer.command<Status>('/dms/node/deployment/status', '-i', EnsembleID)
      if (status === 'Failed') throw new Error(error)
      return status === 'Completed' ? true : undefined
    })
    const logs = ['/dms/node/deployment/logs', '-i', EnsembleID, '-a', 'node1.hello'] as const
    expect(await deployer.command<{ readonly stdout: string }>(...logs)).toMatchObject({ stdout: 'said by a plugin\n' })
  })
})
