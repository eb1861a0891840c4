import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { gibibytes, seconds } from '../../src/base/index.ts'
import { commit, hello } from '../../src/protocol/index.ts'
import { type Cluster, type ClusterNode, createCluster, createVirtualClock, type VirtualClock } from '../../src/testing/index.ts'
import { rootOf } from '../support/root-of.ts'

describe('a node that serves somebody it trusts', () => {
  let clock: VirtualClock
  let cluster: Cluster
  let node: ClusterNode
  let friend: ClusterNode

  beforeEach(async () => {
    clock = createVirtualClock()
    cluster = await createCluster(clock)
    node = await cluster.start()
    friend = await cluster.start()
    await cluster.trust(node, friend)
    await cluster.trust(friend, node)
  })

  afterEach(async () => {
    await clock.run(cluster.dispose())
  })

  test('fails one message only when a handler throws, and tells the caller nothing of the inside', async () => {
    const broken = { ...hello, name: '/public/broken' }
    node.actors.root.on(broken, () => {
      throw new TypeError('the inside of the node')
    })
    const call = clock.run(friend.actors.root.invoke(rootOf(node), broken, null, { timeout: seconds(5) }))
    const failure = await call.then(
      () => undefined,
      (error: unknown) => error
    )
    expect(failure).toMatchObject({ code: 'ACTOR_HANDLER_FAILED', kind: 'internal' })
    expect(String(failure)).not.toContain('the inside of the node')
    const reply = await clock.run(friend.actors.root.invoke(rootOf(node), hello, null))
    expect(reply.did.uri).toBe(node.key.did)
  })

  test.each([
    ['../../x', 'node1', 'alloc1'],
    ['x', '../../y', 'alloc1'],
    ['x', 'node1', '../../../etc/passwd'],
    ['.hidden', 'node1', 'alloc1'],
    ['x', 'node1', 'a\u0000b']
  ])('refuses names that would leave a directory: %j, %j, %j', async (ensembleId, nodeId, allocation) => {
    const resources = {
      cpu: { clockHz: 0, cores: 1, model: '', vendor: '', threads: 0, architecture: '', cacheBytes: 0 },
      gpus: [],
      ram: { size: gibibytes(1), clockSpeed: 0, type: '' },
      disk: { size: gibibytes(1), type: '' }
    }
    const request = { ensembleId, nodeId, allocation, resources, ports: {} }
    const call = friend.actors.root.invoke(rootOf(node), commit, request, { timeout: seconds(5) })
    await expect(clock.run(call)).rejects.toMatchObject({ kind: 'invalid' })
  })
})
