import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { err, ok } from '../../base/index.ts'
import { addressOf } from './addresses.ts'
import { createJobNetwork } from './job-network.ts'

describe('the addresses of jobs', () => {
  let directory: string
  let commands: string[]

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dms-addresses-'))
    commands = []
  })

  afterEach(() => rm(directory, { recursive: true }))

  function networkOf(nodeId: string, { forwards = '1\n', filtered = true, hasRule = 1 } = {}) {
    return createJobNetwork({
      nodeId,
      directory,
      filter: { ensure: async () => (filtered ? ok(true as const) : err('no nft')) },
      forwarding: async () => forwards,
      run: async (program, args) => {
        commands.push([program, ...args].join(' '))
        return { code: args.includes('-C') ? hasRule : 0, stdout: '', complaint: '' }
      }
    })
  }

  test('are given to nobody where the kernel does not forward or the filter is not in force', async () => {
    expect(await networkOf('a', { forwards: '0\n' }).lease('job')).toMatchObject({
      ok: false,
      error: expect.stringContaining('ip_forward') as string
    })
    expect(await networkOf('a', { filtered: false }).lease('job')).toEqual(err('no nft'))
    expect(await readdir(directory)).toEqual([])
  })

  test('are the same for a job until they are given back, also after a restart, and never those of another', async () => {
    const first = await networkOf('a').lease('job')
    expect(await networkOf('a').lease('job')).toEqual(first)
    const others = await Promise.all(['job', 'x', 'y'].map((id) => networkOf('b').lease(id)))
    expect(new Set([first, ...others].map((lease) => JSON.stringify(lease))).size).toBe(4)
    await networkOf('b').release('job')
    await networkOf('b').release('never had any')
    expect(await networkOf('a').lease('job')).toEqual(first)
    expect(await readdir(directory)).toHaveLength(3)
  })

  test('are of links with room for two ends', () => {
    expect(addressOf(0)).toEqual({ address: '198.19.0.2', gateway: '198.19.0.1', prefix: 30, hostInterface: 'nunetj0000' })
    expect(addressOf(16_383)).toMatchObject({ address: '198.19.255.254', hostInterface: 'nunetj3fff' })
  })

  test('pass Docker’s rules once, where it has some', async () => {
    await networkOf('a').lease('job')
    expect(commands.filter((command) => command.includes(' -I DOCKER-USER -i nunetj+ -j ACCEPT'))).toHaveLength(1)
    commands = []
    await networkOf('a', { hasRule: 0 }).lease('job')
    expect(commands.filter((command) => command.includes(' -I '))).toEqual([])
  })
})
