import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fromUtf8, gibibytes, type JsonValue, minutes, seconds } from '../../src/base/index.ts'
import {
  bidReply,
  bidRequest,
  bidSignedBytes,
  commit,
  deploymentNew,
  onboard,
  type WireBid,
  type WireResources
} from '../../src/protocol/index.ts'
import { type Cluster, type ClusterNode, createCluster, createVirtualClock, type VirtualClock } from '../../src/testing/index.ts'
import { rootOf } from '../support/root-of.ts'

function resources(cores: number): WireResources {
  return {
    cpu: { clockHz: 0, cores, model: '', vendor: '', threads: 0, architecture: '', cacheBytes: 0 },
    gpus: [],
    ram: { size: gibibytes(1), clockSpeed: 0, type: '' },
    disk: { size: gibibytes(1), type: '' }
  }
}

describe('between a provider and a deployer that does not keep to the rules', () => {
  let clock: VirtualClock
  let cluster: Cluster
  let provider: ClusterNode
  let deployer: ClusterNode

  beforeEach(async () => {
    clock = createVirtualClock()
    cluster = await createCluster(clock)
    provider = await cluster.start()
    deployer = await cluster.start()
    await cluster.trust(provider, deployer)
    await cluster.trust(deployer, provider)
    const offer = {
      ...resources(4),
      ram: { size: gibibytes(4), clockSpeed: 0, type: '' },
      disk: { size: gibibytes(8), type: '' }
    }
    const lend = { noGpu: true, gpus: [], config: { resources: offer } }
    await clock.run(provider.actors.root.invoke(rootOf(provider), onboard, lend))
  })

  afterEach(async () => {
    await clock.run(cluster.dispose())
  })

  function question(ensembleId: string) {
    const v1 = { nodeId: 'node1', executors: ['null'] as JsonValue[], resources: resources(1) }
    return { id: ensembleId, nonce: 1, request: [{ v1 }], peerExclusion: [] }
  }

  /** Asks for a bid of one core under the given ensemble id. */
  async function askForBid(ensembleId: string): Promise<void> {
    await deployer.actors.root.send(rootOf(provider), bidRequest, question(ensembleId), { replyTo: bidReply.name })
    await clock.sleep(seconds(1))
  }

  function tryCommit(ensembleId: string, nodeId: string, allocation: string, cores = 1) {
    const request = { ensembleId, nodeId, allocation, resources: resources(cores), ports: {} }
    return deployer.actors.root.invoke(rootOf(provider), commit, request, { timeout: seconds(5) })
  }

  test('a commit without a bid, and one for more than was bid for, are refused', async () => {
    await expect(clock.run(tryCommit('e', 'node1', 'a'))).rejects.toMatchObject({ code: 'BIDDING_NO_BID' })
    await clock.run(askForBid('e'))
    await expect(clock.run(tryCommit('e', 'node1', 'a', 2))).rejects.toMatchObject({ code: 'BIDDING_MISMATCH' })
    await expect(clock.run(tryCommit('e', 'node1', 'a', -5))).rejects.toMatchObject({ code: 'ACTOR_BAD_PAYLOAD' })
    expect(provider.node.ledger.free().cpuCores).toBe(3)
  })

  test('who asks for more bids than one may gets none for a while', async () => {
    const ask = (name: string) => clock.run(askForBid(name))
    for (let round = 0; round < 80; round += 1)
      await deployer.actors.root.send(rootOf(provider), bidRequest, question('other'), { replyTo: bidReply.name })
    await ask('e')
    expect(provider.counters.snapshot()['bids.refused.too-often']).toBeGreaterThan(0)
    await expect(clock.run(tryCommit('e', 'node1', 'a'))).rejects.toMatchObject({ code: 'BIDDING_NO_BID' })
    await clock.run(clock.sleep(seconds(60)))
    await ask('e')
    expect((await clock.run(tryCommit('e', 'node1', 'a'))).ok).toBe(true)
  })

  test('a privileged container is bid for to those alone who may have one', async () => {
    const askPrivileged = async (id: string): Promise<void> => {
      const { request, ...rest } = question(id)
      const items = request.map(({ v1 }) => ({ v1: { ...v1, requirements: { privilegedDocker: true } } }))
      await deployer.actors.root.send(rootOf(provider), bidRequest, { ...rest, request: items }, { replyTo: bidReply.name })
      await clock.sleep(seconds(1))
    }
    await clock.run(askPrivileged('e'))
    await expect(clock.run(tryCommit('e', 'node1', 'a'))).rejects.toMatchObject({ code: 'BIDDING_NO_BID' })
    await clock.run(provider.stop())
    provider = await clock.run(cluster.start(provider, { privileged: new Set([deployer.key.did]) }))
    await clock.run(askPrivileged('e'))
    expect((await clock.run(tryCommit('e', 'node1', 'a'))).ok).toBe(true)
  })

  test('one bid is spent once, whatever the allocations are called', async () => {
    await clock.run(askForBid('e'))
    expect((await clock.run(tryCommit('e', 'node1', 'e_node1.a'))).ok).toBe(true)
    expect((await clock.run(tryCommit('e', 'node1', 'a'))).ok).toBe(true)
    await expect(clock.run(tryCommit('e', 'node1', 'e_other.a'))).rejects.toMatchObject({ code: 'BIDDING_MISMATCH' })
    await expect(clock.run(tryCommit('e', 'node1', 'b'))).rejects.toMatchObject({ code: 'BIDDING_MISMATCH' })
    expect([...provider.node.ledger.commitments().keys()]).toEqual(['e_node1.a'])
  })

  test('a bid under somebody else’s DID is not taken', async () => {
    const famous = await clock.run(cluster.start())
    const journal = await answerDeployment({ handle: { ...rootOf(provider), did: famous.key.did } })
    expect(journal).toContain('nobody bid')
    expect(journal).not.toContain('placed')
  })

  test('a bid that answers an earlier request is not taken', async () => {
    const journal = await answerDeployment({ challenge: 'of an earlier request' })
    expect(journal).toContain('nobody bid')
    expect(journal).not.toContain('placed')
  })

  test('a bid of a Go node, which repeats no challenge, is taken', async () => {
    expect(await answerDeployment({})).toContain('placed')
  })

  test('a bid repeats the challenge of its request under its signature', async () => {
    const bids: WireBid[] = []
    deployer.actors.root.on(bidReply, async (bid) => {
      bids.push(bid)
      return null
    })
    const send = { replyTo: bidReply.name }
    for (const [id, challenge] of [['e', 'abc'] as const, ['f', undefined] as const]) {
      const request = challenge === undefined ? question(id) : { ...question(id), challenge }
      await clock.run(deployer.actors.root.send(rootOf(provider), bidRequest, request, send))
      await clock.run(clock.sleep(seconds(1)))
    }
    expect(bids.map(({ challenge }) => challenge)).toEqual(['abc', undefined])
    const [first, second] = bids.map(({ signedBytes }) => fromUtf8(signedBytes))
    expect(first).toContain('"Challenge":"abc"')
    expect(second).not.toContain('Challenge')
  })

  /** Starts a deployment for which the provider itself is too small, answers with such a bid of it, and reads the journal. */
  async function answerDeployment(changes: Partial<WireBid>): Promise<string> {
    const wire = {
      v1: {
        allocations: {
          a: {
            type: 'task',
            executor: 'null',
            resources: { cpu: { cores: 8 }, ram: { size: 1024 }, disk: { size: 1024 } },
            execution: { type: 'null', params: {} }
          }
        },
        nodes: { node1: { allocations: ['a'] } }
      }
    }
    const { ensembleId = '' } = await clock.run(
      deployer.actors.root.invoke(rootOf(deployer), deploymentNew, { ensemble: wire }, { timeout: minutes(2) })
    )
    const unsigned = {
      ensembleId,
      nodeId: 'node1',
      peer: provider.key.peerId,
      location: { continent: '', country: '', city: '' },
      handle: rootOf(provider),
      ...changes
    }
    const signedBytes = bidSignedBytes(unsigned)
    const bid: WireBid = { ...unsigned, signature: await provider.key.sign(signedBytes), signedBytes }
    const orchestrator = deployer.node.deployments.manifest(ensembleId) as { orchestrator?: { id: { pub: string } } }
    const to = {
      id: orchestrator.orchestrator?.id.pub ?? '',
      did: deployer.key.did,
      host: deployer.key.peerId,
      inbox: ensembleId
    }
    await clock.run(provider.actors.root.send(to, bidReply, bid))
    await clock.run(clock.sleep(seconds(6)))
    return deployer.node.deployments
      .get(ensembleId)
      .journal.map(({ text }) => text)
      .join('\n')
  }
})
