import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMachines, eventually, type TestMachine, type TestMachines } from '../support/machine.ts'

interface Status {
  readonly hostname: string
  readonly version: string
  readonly config: { readonly observability: { readonly elastic: { readonly api_key: string } } }
  readonly network: { readonly interfaces: readonly { readonly ip: readonly string[] }[] }
}

describe('what a real daemon tells of itself', () => {
  let machines: TestMachines
  let node: TestMachine
  let member: TestMachine

  beforeAll(async () => {
    machines = await createMachines()
    node = await machines.create('node')
    member = await machines.create('member')
    for (const [host, guest] of [
      [node, member],
      [member, node]
    ] as const) {
      await machines.trust(host, guest)
    }
    await node.succeed('config', 'set', 'observability.elastic.api_key', 'hunter2')
    await node.start()
    await member.start()
    const { listen_addr } = await node.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
    await member.command('/dms/node/peers/connect', '--address', listen_addr.split(', ')[0] ?? '')
  })

  afterAll(async () => {
    await machines.dispose()
  })

  test('tells members public facts only when they ask everybody', async () => {
    const answer = await eventually('an answer to the broadcast', 30, async () => {
      const found = await member.succeed('actor', 'cmd', '-c', 'dms', '-t', '2s', '/broadcast/dms/status')
      return found.includes(node.dms.peerId) ? found : undefined
    })
    expect(answer).toContain(node.dms.did)
    expect(answer).not.toMatch(/hostname|interfaces|mac_address|config|api_key|hunter2/)
  })

  test('tells its owner everything but secrets', async () => {
    const outcome = await node.succeed('actor', 'cmd', '-c', 'user', '/dms/node/status')
    expect(outcome).not.toContain('hunter2')
    const status = (JSON.parse(outcome) as Readonly<Record<string, Status>>)[node.dms.peerId]
    expect(status?.hostname).toBe(hostname())
    expect(await node.succeed('version')).toContain(`Version: ${status?.version}`)
    expect(status?.config.observability.elastic.api_key).toBe('********')
    expect(status?.network.interfaces.flatMap(({ ip }) => ip)).toContain('127.0.0.1/8')
  })

  test('changes the level of its log at once', async () => {
    await node.command('/dms/node/logger/config', '--level', 'debug')
    await node.nunet(['actor', 'cmd', '-c', 'user', '-t', '1s', '/broadcast/hello'])
    const written = await readFile(join(node.home, 'dms.log'), 'utf8')
    expect(written).toContain('"level":"DEBUG"')
    const { events } = await node.command<{ readonly events: readonly { readonly message: string }[] }>('/dms/debug/flightrec')
    expect(events.map(({ message }) => message)).toContain('log settings changed')
  })
})
