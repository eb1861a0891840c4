import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { errorMessage } from '../../src/base/index.ts'
import { type Requirement, requirement } from '../../src/testing/requirements.ts'
import { createMachines, type TestMachines } from '../support/machine.ts'
import { VERSION } from '../support/packages.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const INSTALL_LIMIT = 240_000

const scratch = await mkdtemp(join(tmpdir(), 'nunet-npm-'))

/** Installing fetches the dependencies, so without a registry or npm's cache it fails. */
async function install(): Promise<Requirement> {
  try {
    await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', scratch], { cwd: ROOT })
    const tarball = join(scratch, `nunet-dms-${VERSION}.tgz`)
    // A prefix of its own would hide the settings of this machine, its certificates among them.
    const { stdout: globalConfig } = await run('npm', ['config', 'get', 'globalconfig'])
    const flags = [
      '--globalconfig',
      globalConfig.trim(),
      '--global',
      '--prefix',
      scratch,
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--fetch-retries=0',
      '--loglevel=error'
    ]
    await run('npm', ['install', ...flags, tarball], { cwd: scratch, timeout: INSTALL_LIMIT })
    return { available: true }
  } catch (error) {
    return { available: false, reason: errorMessage(error).slice(0, 300) }
  }
}

const npm = await requirement('npm', install)
afterAll(() => rm(scratch, { recursive: true, force: true }))

describe.skipIf(!npm.available)(npm.title('the packed tarball, installed by npm'), () => {
  const program = join(scratch, 'bin/nunet')
  let machines: TestMachines

  beforeAll(async () => {
    machines = await createMachines({ command: program, args: [] })
  })
  afterAll(() => machines.dispose())

  test('tells its version and makes a key', async () => {
    const nunet = (...args: readonly string[]) =>
      run(program, args, { env: { PATH: process.env['PATH'] ?? '', HOME: scratch, DMS_PASSPHRASE: 'mine' } })
    expect((await nunet('version')).stdout).toMatch(new RegExp(`^Version: ${VERSION.replaceAll('.', '\\.')}$`, 'm'))
    expect((await nunet('key', 'new', 'dms')).stdout).toMatch(/^did:key:z6Mk/)
  })

  test('runs a daemon that answers', async () => {
    const machine = await machines.create('machine')
    await machine.start()
    expect(await machine.command('/dms/node/peers/self')).toMatchObject({ id: machine.dms.peerId })
    const daemon = machine.daemon
    await machine.stop()
    if (daemon?.exitCode === null) await once(daemon, 'exit')
    expect(daemon?.exitCode).toBe(0)
  })
})
