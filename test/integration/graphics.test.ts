import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { gibibytes, type JsonValue, minutes, seconds } from '../../src/base/index.ts'
import type { Machine } from '../../src/hardware/index.ts'
import { deploymentNew, deploymentStatus, onboard, resourcesAllocated, resourcesFree } from '../../src/protocol/index.ts'
import {
  CLUSTER_MACHINE,
  type Cluster,
  type ClusterNode,
  createCluster,
  createVirtualClock,
  type VirtualClock
} from '../../src/testing/index.ts'
import { rootOf } from '../support/root-of.ts'

const MACHINE: Machine = {
  ...CLUSTER_MACHINE,
  gpus: [
    {
      ...{ index: 0, vendor: 'NVIDIA', model: 'NVIDIA GeForce RTX 3090', uuid: 'GPU-0001', pciAddress: '0000:01:00.0' },
      ...{ vram: gibibytes(24), devices: ['/dev/nvidia0'] }
    },
    {
      ...{ index: 1, vendor: 'AMD/ATI', model: 'AMD Radeon RX 6800', uuid: '', pciAddress: '0000:02:00.0' },
      ...{ vram: gibibytes(16), devices: ['/dev/dri/renderD128'] }
    }
  ]
}

const OFFER = {
  cpu: { clockHz: 0, cores: 4, model: '', vendor: '', threads: 0, architecture: '', cacheBytes: 0 },
  gpus: [],
  ram: { size: gibibytes(4), clockSpeed: 0, type: '' },
  disk: { size: gibibytes(8), type: '' }
}

describe('graphics cards', () => {
  let clock: VirtualClock
  let cluster: Cluster
  let plain: ClusterNode
  let provider: ClusterNode
  let deployer: ClusterNode

  beforeEach(async () => {
    clock = createVirtualClock()
    cluster = await createCluster(clock)
    plain = await cluster.start()
    provider = await cluster.start(undefined, { machine: MACHINE })
    deployer = await cluster.start()
    for (const node of [plain, provider]) {
      await cluster.trust(node, deployer)
      await cluster.trust(deployer, node)
    }
    await lend(plain, [])
    await lend(provider, ['0:20', '1:14'])
  })

  afterEach(async () => {
    await clock.run(cluster.dispose())
  })

  function lend(node: ClusterNode, gpus: readonly string[]) {
    return clock.run(node.actors.root.invoke(rootOf(node), onboard, { noGpu: false, gpus, config: { resources: OFFER } }))
  }

  function ensemble(gpus: JsonValue): JsonValue {
    const job = {
      type: 'service',
      executor: 'null',
      resources: { cpu: { cores: 1 }, ram: { size: gibibytes(1) }, disk: { size: gibibytes(1) }, gpus },
      execution: { type: 'null', params: { forever: true } }
    }
    return { v1: { allocations: { job }, nodes: { node1: { allocations: ['job'] } } } }
  }

  async function deploy(gpus: JsonValue): Promise<string> {
    const { root } = deployer.actors
    const request = { ensemble: ensemble(gpus) }
    const { ensembleId = '' } = await clock.run(root.invoke(rootOf(deployer), deploymentNew, request, { timeout: minutes(2) }))
    await clock.run(clock.sleep(seconds(40)))
    return (await clock.run(root.invoke(rootOf(deployer), deploymentStatus, { id: ensembleId }))).status
  }

  const running = (node: ClusterNode) => node.node.allocations.list().filter(({ state }) => state.phase === 'running')

  test('that do not exist, are named twice or lent beyond their range are refused with what is allowed', async () => {
    await expect(lend(plain, ['0:4'])).rejects.toThrow('there is no graphics card 0 (this machine has none)')
    await expect(lend(provider, ['2:4'])).rejects.toThrow('0: NVIDIA GeForce RTX 3090, 1: AMD Radeon RX 6800')
    await expect(lend(provider, ['0:4', '0:5'])).rejects.toThrow('graphics card 0 is named twice')
    await expect(lend(provider, ['0:22'])).rejects.toThrow('to be between 2.4 GiB and 21.6 GiB, got 22 GiB')
    expect(provider.node.ledger.offer()?.gpus.map(({ vram }) => vram)).toEqual([gibibytes(20), gibibytes(14)])
  })

  test('a job that needs one never lands on a machine without it', async () => {
    expect(await deploy([{ vendor: 'Intel' }])).not.toBe('Running')
    expect(running(plain)).toEqual([])
    expect(await deploy([{ vendor: 'NVIDIA', model: 'RTX 3090', vram: gibibytes(12) }])).toBe('Running')
    expect(running(plain)).toEqual([])
    expect(running(provider)).toHaveLength(1)
  })

  test('the memory of a card is promised once, and goes to the next who waits for it', async () => {
    expect(await deploy([{ vendor: 'NVIDIA', vram: gibibytes(12) }])).toBe('Running')
    expect(await deploy([{ vendor: 'NVIDIA', vram: gibibytes(12) }])).not.toBe('Running')
    expect(await deploy([{ vendor: 'NVIDIA', vram: gibibytes(8) }])).toBe('Running')
    const { root } = provider.actors
    const free = (await clock.run(root.invoke(rootOf(provider), resourcesFree, null))).resources.gpus
    expect(free.map(({ index, vram }) => [index, vram])).toEqual([
      [0, 0],
      [1, gibibytes(14)]
    ])
    const allocated = (await clock.run(root.invoke(rootOf(provider), resourcesAllocated, null))).resources.gpus
    expect(allocated).toMatchObject([{ index: 0, uuid: 'GPU-0001', vendor: 'NVIDIA', vram: gibibytes(20) }])
    await expect(lend(provider, ['1:10'])).rejects.toThrow('20 GiB of graphics card GPU-0001 wanted, 0 B free')
    for (const { id, owner } of running(provider)) await clock.run(provider.node.allocations.discard(id, owner))
    await clock.run(clock.sleep(minutes(1)))
    expect(running(provider).map(({ amount }) => amount.gpus[0]?.vram)).toEqual([gibibytes(12)])
    expect(provider.node.ledger.free().gpus[0]?.vram).toBe(gibibytes(8))
  })

  test('the executor is told which card, also after a restart of the node', async () => {
    expect(await deploy([{ vendor: 'AMD' }, { vendor: 'NVIDIA', vram: gibibytes(4) }])).toBe('Running')
    const [job] = provider.node.allocations.list()
    expect(job?.amount.gpus).toEqual([
      { device: '0000:02:00.0', vram: gibibytes(14) },
      { device: 'GPU-0001', vram: gibibytes(4) }
    ])
    const [run] = cluster.runsOf(provider)
    expect(run?.gpus).toEqual([
      { vendor: 'amd', pciAddress: '0000:02:00.0', devices: ['/dev/dri/renderD128'] },
      { vendor: 'nvidia', uuid: 'GPU-0001', pciAddress: '0000:01:00.0', devices: ['/dev/nvidia0'] }
    ])
    await clock.run(provider.stop())
    provider = await clock.run(cluster.start(provider, { machine: MACHINE }))
    expect(provider.node.ledger.free().gpus.map(({ vram }) => vram)).toEqual([gibibytes(16), 0])
  })
})
