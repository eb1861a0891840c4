import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMachines, eventually, type TestMachine, type TestMachines } from '../support/machine.ts'

const SCOPE = ['--cap', '/public', '--cap', '/broadcast', '--topic', '/nunet', '--duration', '24h']

interface Anchors {
  readonly Roots: readonly { readonly uri: string }[]
}

/** Where Node's debugger listens once a SIGUSR1 has opened it. */
function isDebuggerOpen(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(9229, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

describe('two daemons that run on while capabilities change', () => {
  let machines: TestMachines
  let organization: TestMachine
  let host: TestMachine
  let member: string

  beforeAll(async () => {
    machines = await createMachines()
    organization = await machines.create('organization')
    host = await machines.create('host')
    const required = await host.succeed('cap', 'grant', '--context', 'user', ...SCOPE, organization.user.did)
    await host.succeed('cap', 'anchor', '--context', 'dms', '--require', required)
    const provided = await organization.succeed('cap', 'grant', '--context', 'user', ...SCOPE, organization.dms.did)
    await organization.succeed('cap', 'anchor', '--context', 'dms', '--provide', provided)
    member = await organization.succeed('cap', 'new', 'member')
    const granted = await organization.succeed('cap', 'grant', '--context', 'user', ...SCOPE, member)
    await organization.succeed('cap', 'anchor', '--context', 'member', '--provide', granted)
    await Promise.all([organization.start(), host.start()])
    const { listen_addr } = await host.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
    await organization.command('/dms/node/peers/connect', '--address', listen_addr.split(', ')[0] ?? '')
  })

  afterAll(async () => {
    await machines.dispose()
  })

  const greet = (context: string) =>
    organization.nunet(['actor', 'cmd', '-c', context, '-d', host.dms.did, '-t', '4s', '/public/hello'])

  const roots = async () => (await host.command<Anchors>('/dms/cap/list')).Roots.map(({ uri }) => uri)

  const logOf = (machine: TestMachine) => readFile(join(machine.home, 'dms.log'), 'utf8')

  test('a member is refused within seconds after the organization revoked and broadcast, without a restart', async () => {
    const pid = host.daemon?.pid
    expect(await greet('member')).toMatchObject({ code: 0 })
    await organization.succeed('cap', 'revoke', '--context', 'user', '--anchor', '--all-to', member)
    expect(await organization.succeed('cap', 'broadcast', '--context', 'user')).toBe('1')
    await eventually('the revocation', 10, async () => ((await logOf(host)).includes('revocations learned') ? true : undefined))
    const refused = await greet('member')
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('request timeout')
    expect(await greet('user')).toMatchObject({ code: 0 })
    expect(host.daemon?.pid).toBe(pid)
    expect(host.daemon?.exitCode).toBeNull()
  })

  test('and still after a restart', async () => {
    await host.stop('SIGKILL')
    await host.start()
    const { listen_addr } = await host.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
    await organization.command('/dms/node/peers/connect', '--address', listen_addr.split(', ')[0] ?? '')
    await eventually('the organization to be heard again', 20, async () => ((await greet('user')).code === 0 ? true : undefined))
    expect((await greet('member')).code).not.toBe(0)
  })

  test('cap anchor has the running daemon use it, and says so', async () => {
    const outcome = await host.nunet(['cap', 'anchor', '--context', 'dms', '--root', organization.user.did])
    expect(outcome).toMatchObject({ code: 0, stdout: '' })
    expect(outcome.stderr).toContain(`The running DMS at 127.0.0.1:${host.restPort} uses it now`)
    expect(await roots()).toContain(organization.user.did)
    const removed = await host.nunet(['cap', 'remove', '--context', 'dms', '--root', organization.user.did])
    expect(removed.stderr).toContain('uses it now')
    expect(await roots()).toEqual([host.user.did])
  })

  /** Changes the file as a copy from elsewhere would: nobody tells the daemon. */
  const changeInSecret = (verb: 'anchor' | 'remove') =>
    host.succeed('--rest-port', '1', 'cap', verb, '--context', 'dms', '--root', organization.dms.did)

  test.each(['SIGUSR1', 'SIGHUP'] as const)('%s reloads, and opens no debugger', async (signal) => {
    await changeInSecret('anchor')
    const wasOpen = await isDebuggerOpen() // by somebody else on this machine
    host.daemon?.kill(signal)
    await eventually('the reload', 5, async () => ((await roots()).includes(organization.dms.did) ? true : undefined))
    expect(await isDebuggerOpen()).toBe(wasOpen)
    expect(host.daemon?.exitCode).toBeNull()
    await changeInSecret('remove')
    host.daemon?.kill(signal)
    await eventually('the reload', 5, async () => ((await roots()).includes(organization.dms.did) ? undefined : true))
    expect(await logOf(host)).toContain(signal)
  })

  test('a file that somebody copied is noticed by itself', async () => {
    await changeInSecret('anchor')
    await eventually('the notice', 15, async () => ((await roots()).includes(organization.dms.did) ? true : undefined))
    expect(await logOf(host)).toContain('the file has changed')
  })
})
