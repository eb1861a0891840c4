import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { gibibytes, type JsonValue, minutes, seconds } from '../../src/base/index.ts'
import {
  allocationsList,
  bidReply,
  bidRequest,
  commit,
  deploymentManifest,
  deploymentNew,
  deploymentShutdown,
  deploymentStatus,
  onboard
} from '../../src/protocol/index.ts'
import { type Cluster, type ClusterNode, createCluster, createVirtualClock, type VirtualClock } from '../../src/testing/index.ts'
import { rootOf } from '../support/root-of.ts'

const OFFER = {
  cpu: { clockHz: 0, cores: 4, model: '', vendor: '', threads: 0, architecture: '', cacheBytes: 0 },
  gpus: [],
  ram: { size: gibibytes(4), clockSpeed: 0, type: '' },
  disk: { size: gibibytes(8), type: '' }
}

/** Nodes of a cluster lend the ports from 20000 to 20009; another program uses 20001 here. */
const BUSY = { busyPorts: new Set([20_001]) }

describe('public ports', () => {
  let clock: VirtualClock
  let cluster: Cluster
  let provider: ClusterNode
  let deployer: ClusterNode

  beforeEach(async () => {
    clock = createVirtualClock()
    cluster = await createCluster(clock)
    provider = await cluster.start(undefined, BUSY)
    deployer = await cluster.start()
    await cluster.trust(provider, deployer)
    await cluster.trust(deployer, provider)
    const lend = { noGpu: true, gpus: [], config: { resources: OFFER } }
    await clock.run(provider.actors.root.invoke(rootOf(provider), onboard, lend))
  })

  afterEach(async () => {
    await clock.run(cluster.dispose())
  })

  const ask: typeof deployer.actors.root.invoke = (...args) => deployer.actors.root.invoke(...args)

  async function deploy(ports: readonly (readonly [number, number])[]): Promise<string> {
    const job = {
      ...{ type: 'service', executor: 'null', execution: { type: 'null', params: { forever: true } } },
      resources: { cpu: { cores: 1 }, ram: { size: gibibytes(1) }, disk: { size: gibibytes(1) } }
    }
    const wanted = ports.map(([outside, inside]) => ({ public: outside, private: inside, allocation: 'job' }))
    const ensemble: JsonValue = { v1: { allocations: { job }, nodes: { node1: { allocations: ['job'], ports: wanted } } } }
    const { ensembleId = '' } = await clock.run(ask(rootOf(deployer), deploymentNew, { ensemble }, { timeout: minutes(2) }))
    await clock.run(clock.sleep(seconds(40)))
    return ensembleId
  }

  const statusOf = async (id: string) => (await clock.run(ask(rootOf(deployer), deploymentStatus, { id }))).status

  async function portsOf(id: string): Promise<unknown> {
    const { manifest } = await clock.run(ask(rootOf(deployer), deploymentManifest, { id }))
    return (manifest as { allocations: Record<string, { ports: unknown }> }).allocations['node1.job']?.ports
  }

  test.each([
    ['outside of what is lent', 30_000],
    ['in use by another program', 20_001]
  ])('that are %s are bid for by nobody', async (_why, port) => {
    expect(await statusOf(await deploy([[port, 80]]))).not.toBe('Running')
    expect(provider.node.allocations.list()).toEqual([])
  })

  test('lead to the job by TCP and UDP, those with a number and those the machine chooses, and are in the manifest', async () => {
    const id = await deploy([
      [20_002, 80],
      [0, 8080],
      [0, 8081]
    ])
    expect(await statusOf(id)).toBe('Running')
    expect(await portsOf(id)).toEqual({ 20000: 8080, 20002: 80, 20003: 8081 })
    const mapped = cluster.runsOf(provider)[0]?.ports.map(({ protocol, hostPort, port }) => `${hostPort} → ${port}/${protocol}`)
    expect(mapped?.sort()).toEqual([
      ...['20000 → 8080/tcp', '20000 → 8080/udp', '20002 → 80/tcp', '20002 → 80/udp', '20003 → 8081/tcp', '20003 → 8081/udp']
    ])
    const { allocations } = await clock.run(provider.actors.root.invoke(rootOf(provider), allocationsList, {}))
    expect(allocations[0]?.usingPorts).toEqual([20_002, 20_000, 20_003])
  })

  test('are one job’s until it has ended, also over a restart, and then the next one’s', async () => {
    const first = await deploy([[20_002, 80]])
    expect(await statusOf(first)).toBe('Running')
    await clock.run(provider.stop())
    provider = await clock.run(cluster.start(provider, BUSY))
    expect([...provider.node.ledger.portsInUse()]).toEqual([20_002])
    const second = await deploy([[20_002, 80]])
    expect(await statusOf(second)).not.toBe('Running')
    await clock.run(ask(rootOf(deployer), deploymentShutdown, { id: first }))
    await clock.run(clock.sleep(minutes(1)))
    expect(await statusOf(second)).toBe('Running')
  })

  describe('of a deployer that does not keep to the rules', () => {
    const resources = { ...OFFER, cpu: { ...OFFER.cpu, cores: 1 } }

    async function askForBid(): Promise<void> {
      const publicPorts = { static: [20_002], dynamic: 1 }
      const v1 = { nodeId: 'n', executors: ['null'], resources, publicPorts }
      const question = { id: 'e', nonce: 1, request: [{ v1 }], peerExclusion: [] }
      await deployer.actors.root.send(rootOf(provider), bidRequest, question, { replyTo: bidReply.name })
      await clock.sleep(seconds(1))
    }

    const tryCommit = (allocation: string, ports: Record<string, number>) =>
      clock.run(
        ask(rootOf(provider), commit, {
          ...{ ensembleId: 'e', nodeId: 'n', allocation, ports },
          resources: { ...resources, ram: { ...resources.ram, size: 0 }, disk: { ...resources.disk, size: 0 } }
        })
      )

    test('are refused when they are not those of the bid, or no ports', async () => {
      await clock.run(askForBid())
      const refused = [
        { '20003': 80, '20004': 81 },
        { '20002': 80, '20003': 81, '0': 82 }
      ]
      for (const ports of refused) await expect(tryCommit('a', ports)).rejects.toMatchObject({ code: 'BIDDING_MISMATCH' })
      await expect(tryCommit('a', { '20002': 70_000 })).rejects.toThrow('private port 70000 must be from 1 to 65535')
      await expect(tryCommit('a', { ssh: 22 })).rejects.toThrow('public port "ssh" must be a number')
      expect([...provider.node.ledger.portsInUse()]).toEqual([20_002])
    })

    test('are the same when it asks again, as after a lost answer', async () => {
      await clock.run(askForBid())
      const first = await tryCommit('a', { '20002': 80, '0': 81 })
      expect(first).toEqual({ ok: true, error: '', ports: { 20000: 81, 20002: 80 } })
      expect(await tryCommit('a', { '20002': 80, '0': 81 })).toEqual(first)
    })
  })
})
