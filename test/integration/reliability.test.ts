import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { seconds } from '../../src/base/index.ts'
import { hello, publicStatus } from '../../src/protocol/index.ts'
import { type Cluster, type ClusterNode, createCluster, createVirtualClock, type VirtualClock } from '../../src/testing/index.ts'
import { rootOf } from '../support/root-of.ts'

describe('between nodes of an unreliable network', () => {
  let clock: VirtualClock
  let cluster: Cluster
  let caller: ClusterNode
  let node: ClusterNode
  let other: ClusterNode

  beforeEach(async () => {
    clock = createVirtualClock()
    cluster = await createCluster(clock)
    caller = await cluster.start()
    node = await cluster.start()
    other = await cluster.start()
    for (const host of [node, other]) {
      await cluster.trust(host, caller)
      await cluster.trust(caller, host)
    }
  })

  afterEach(async () => {
    await clock.run(cluster.dispose())
  })

  const cut = (target: ClusterNode): void => cluster.network.unlink(caller.key.peerId, target.key.peerId)
  const heal = (target: ClusterNode): void => cluster.network.link(caller.key.peerId, target.key.peerId)

  /** How many seconds a call took, and what came of it. */
  async function timed(call: Promise<unknown>): Promise<readonly [number, string]> {
    const begin = clock.now()
    const outcome = await call.then(
      () => 'answered',
      (error: { readonly code: string }) => error.code
    )
    return [(clock.now() - begin) / 1000, outcome]
  }

  test('a call to a peer that is away fails at its one deadline, with the reason', async () => {
    cut(node)
    const [took, outcome] = await clock.run(timed(caller.actors.root.invoke(rootOf(node), hello, null, { timeout: seconds(20) })))
    expect(outcome).toBe('NETWORK_UNREACHABLE')
    expect(took).toBeLessThanOrEqual(20)
    expect(took).toBeGreaterThan(10)
  })

  test('a call to a peer that comes back meanwhile is answered', async () => {
    cut(node)
    const call = timed(caller.actors.root.invoke(rootOf(node), hello, null, { timeout: seconds(20) }))
    await clock.run(clock.sleep(seconds(4)))
    heal(node)
    const [took, outcome] = await clock.run(call)
    expect(outcome).toBe('answered')
    expect(took).toBeLessThan(10)
  })

  test('a reply to a peer that is away for a moment still reaches it', async () => {
    const slow = { ...hello, name: '/public/slow' }
    node.actors.root.on(slow, async () => {
      cut(node)
      void clock.sleep(seconds(3)).then(() => heal(node))
      return { did: { uri: node.key.did } }
    })
    const [took, outcome] = await clock.run(timed(caller.actors.root.invoke(rootOf(node), slow, null, { timeout: seconds(20) })))
    expect(outcome).toBe('answered')
    expect(took).toBeGreaterThanOrEqual(3)
  })

  test('a dead peer does not delay calls to others, however many wait for it', async () => {
    cut(node)
    const waiting = Array.from({ length: 200 }, () =>
      timed(caller.actors.root.invoke(rootOf(node), hello, null, { timeout: seconds(10) }))
    )
    const [took, outcome] = await clock.run(timed(caller.actors.root.invoke(rootOf(other), hello, null)))
    expect([took < 1, outcome]).toEqual([true, 'answered'])
    await clock.run(Promise.all(waiting))
  })

  test('public behaviours of an idle node are answered within a second', async () => {
    for (const behavior of [hello, publicStatus]) {
      const [took, outcome] = await clock.run(timed(caller.actors.root.invoke<null, unknown>(rootOf(node), behavior, null)))
      expect([took < 1, outcome]).toEqual([true, 'answered'])
    }
  })
})
