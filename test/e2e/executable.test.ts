import { execFile } from 'node:child_process'
import { chmod, copyFile, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requirement } from '../../src/testing/requirements.ts'
import { createMachines, eventually, type TestMachine, type TestMachines } from '../support/machine.ts'
import { executablePath, HOST_ARCHITECTURE, isFresh } from '../support/packages.ts'

const run = promisify(execFile)
const PROGRAM = executablePath(HOST_ARCHITECTURE)
const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url))

const executable = await requirement('executable', () => isFresh(PROGRAM, 'make'))

interface Status {
  readonly status: string
  readonly error: string
}

describe.skipIf(!executable.available)(executable.title('the single executable'), () => {
  let machines: TestMachines
  let deployer: TestMachine
  let provider: TestMachine

  beforeAll(async () => {
    machines = await createMachines({ command: PROGRAM, args: [] })
    deployer = await machines.create('deployer')
    provider = await machines.create('provider')
    await Promise.all([machines.trust(provider, deployer), machines.trust(deployer, provider)])
    await Promise.all([deployer.start(), provider.start()])
  })
  afterAll(() => machines.dispose())

  /** Where a machine keeps the addons that were inside of the executable. */
  async function addonOf({ home }: TestMachine): Promise<string> {
    const cache = join(home, '.cache/nunet-dms')
    const [hash = ''] = await readdir(cache)
    return join(cache, hash, 'sqlite.node')
  }

  test('needs no Node: it runs with an empty PATH and tells its own', async () => {
    const { stdout } = await run(PROGRAM, ['version'], { env: {}, cwd: '/' })
    expect(stdout).toMatch(/^Node Version: v24\./m)
  })

  test('lays its addons into a directory that only their owner can enter', async () => {
    const addon = await addonOf(provider)
    for (const place of [join(provider.home, '.cache/nunet-dms'), join(addon, '..')]) {
      expect((await stat(place)).mode & 0o777).toBe(0o700)
    }
    expect(await readFile(`/proc/${provider.daemon?.pid}/maps`, 'utf8')).toContain(addon)
  })

  test('replaces an addon that was changed instead of loading it', async () => {
    const addon = await addonOf(deployer)
    const before = await readFile(addon)
    await deployer.stop()
    await chmod(addon, 0o600)
    await writeFile(addon, 'not what was built')
    await deployer.start()
    expect((await readFile(addon)).equals(before)).toBe(true)
  })

  test('runs a WebAssembly job for somebody else: it is its own supervisor', async () => {
    for (const name of ['hello.yaml', 'hello.wasm']) await copyFile(join(EXAMPLES, name), join(deployer.home, name))
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
    const logs = await deployer.command<{ readonly stdout: string }>(
      '/dms/node/deployment/logs',
      '-i',
      EnsembleID,
      '-a',
      'anywhere.hello'
    )
    expect(logs.stdout).toBe('hello from an ensemble\nargument: world\n')
  })
})
