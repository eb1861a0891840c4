import { describe, expect, test } from 'vitest'
import { err, mebibytes, ok, silentLogger } from '../../base/index.ts'
import type { Egress, Workload } from '../index.ts'
import { createAttachment } from './attachment.ts'
import type { JobNetworks } from './networks.ts'
import { networkConfig, networkName } from './networks.ts'

const port = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 20_000, port: 80 } as const

function job(ports: Workload['ports'] = []): Workload {
  const limits = { cpuCores: 1, memory: mebibytes(32), disk: mebibytes(32), pids: 8 }
  return { id: 'job', spec: { image: 'a' }, limits, directory: '/tmp', allowPrivileged: false, ports }
}

function attachmentOf(egress: Egress, { filtered = true, here = true, stuck = false } = {}) {
  const made = new Set<string>()
  const networks: JobNetworks = {
    ensure: async (allocation) => {
      made.add(allocation)
      return `net-${allocation}`
    },
    isHere: async () => here,
    remove: async (allocation) => {
      if (stuck) throw new Error('has active endpoints')
      made.delete(allocation)
    },
    list: async () => [...made]
  }
  const filter = { ensure: async () => (filtered ? ok(true as const) : err('no nft')) }
  return { attachment: createAttachment({ egress, filter }, networks, silentLogger), made }
}

describe('the network of a container', () => {
  test('is none where the firewall does not see it, and ports are refused then', async () => {
    const { attachment, made } = attachmentOf('public', { here: false })
    expect(await attachment.attach(job(), {})).toBe('none')
    await expect(attachment.attach(job([port]), {})).rejects.toMatchObject({ code: 'EXECUTOR_UNAVAILABLE' })
    expect(made.size).toBe(0)
  })

  test('is none where the filter is not in force, and the owner learns why', async () => {
    const { attachment, made } = attachmentOf('public', { filtered: false })
    expect(await attachment.attach(job(), {})).toBe('none')
    expect(await attachment.obstacle()).toBe('no nft')
    expect(made.size).toBe(0)
  })

  test('is none where the owner wants none, and ports are refused for good', async () => {
    const { attachment } = attachmentOf('none', { filtered: false })
    expect(await attachment.attach(job(), {})).toBe('none')
    expect(await attachment.obstacle()).toBeUndefined()
    await expect(attachment.attach(job([port]), {})).rejects.toMatchObject({ code: 'EXECUTOR_UNSUPPORTED', kind: 'invalid' })
  })

  test('is one of its own behind the filter, and Docker’s bridge where the owner gives all', async () => {
    expect(await attachmentOf('public').attachment.attach(job([port]), {})).toBe('net-job')
    expect(await attachmentOf('all', { filtered: false }).attachment.attach(job([port]), {})).toBe('bridge')
  })

  test('is taken away when nobody has it, and one that stays does not keep others from being looked at', async () => {
    const { attachment, made } = attachmentOf('public')
    await attachment.attach(job(), {})
    await attachment.sweep(new Set(['job']))
    expect([...made]).toEqual(['job'])
    await attachment.sweep(new Set())
    expect([...made]).toEqual([])
    const stuck = attachmentOf('public', { stuck: true })
    await stuck.attachment.attach(job(), {})
    await expect(stuck.attachment.sweep(new Set())).resolves.toBeUndefined()
  })

  test('has a name and addresses that belong to one allocation of one node', () => {
    expect(networkName('a', 'job')).not.toBe(networkName('b', 'job'))
    expect(networkConfig('a', 'job', 8191)).toMatchObject({
      IPAM: { Config: [{ Subnet: '198.18.255.248/29', Gateway: '198.18.255.249' }] },
      Options: { 'com.docker.network.bridge.name': 'nunetd1fff' }
    })
    expect(networkConfig('a', 'job', 0)).toMatchObject({ IPAM: { Config: [{ Subnet: '198.18.0.0/29' }] } })
  })
})
