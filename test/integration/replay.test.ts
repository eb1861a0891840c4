import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hours, millis, minutes, seconds, toNanos } from '../../src/base/index.ts'
import { createMemoryStore, type MemoryStore, type StoreSnapshot } from '../../src/db/index.ts'
import { createReplayJournal } from '../../src/dms/index.ts'
import { createMemoryNetwork, createVirtualClock, type MemoryNetwork, type VirtualClock } from '../../src/testing/index.ts'
import { createContext } from '../../src/ucan/index.ts'
import { startActors, type TestActors, testBehavior } from '../support/actors.ts'

const count = testBehavior('/test/count')

describe('a message that is sent again after the node was killed', () => {
  let clock: VirtualClock
  let network: MemoryNetwork
  let store: MemoryStore
  let node: TestActors
  let guest: TestActors
  let handled: number
  /** What the disk held when each handler began. */
  let disks: StoreSnapshot[]
  let frames: Uint8Array[]

  beforeEach(async () => {
    clock = createVirtualClock()
    network = createMemoryNetwork({ clock })
    store = createMemoryStore()
    await store.start()
    handled = 0
    disks = []
    frames = []
    node = await startNode()
    guest = await startActors(network, clock)
    await trust()
    network.link(node.key.peerId, guest.key.peerId)
    const host = network.host(guest.key.peerId)
    const { send } = host
    host.send = (peer, inbox, frame, options) => {
      frames.push(frame)
      return send.call(host, peer, inbox, frame, options)
    }
  })

  afterEach(() => clock.run(Promise.all([node.stop(), guest.stop()])))

  async function startNode(previous?: TestActors): Promise<TestActors> {
    const journal = createReplayJournal(store)
    const identity = previous === undefined ? {} : { key: previous.key, owner: previous.owner }
    const started = await startActors(network, clock, {
      ...identity,
      journal: { ...journal, close: () => Promise.reject(new Error('the process was killed')) }
    })
    started.actors.root.on(count, async () => {
      handled += 1
      disks.push(store.snapshot())
      return handled
    })
    return started
  }

  async function trust(): Promise<void> {
    const token = await createContext({ signer: node.owner }).grant({
      subject: guest.key.did,
      capabilities: ['/test'],
      expiresAt: toNanos(millis(clock.now() + hours(1)))
    })
    const added = node.context.anchor({ kind: 'require', token }, clock.now())
    if (!added.ok) throw new Error(added.error.message)
  }

  /** The process is killed, and another begins on the disk as it was then. */
  async function kill(disk: StoreSnapshot = store.snapshot()): Promise<void> {
    await node.stop()
    store = createMemoryStore()
    store.restore(disk)
    await store.start()
    node = await startNode(node)
    await trust()
  }

  const call = (life: number) => guest.actors.root.invoke(node.actors.root.handle, count, 0, { timeout: seconds(life) })

  async function replay(): Promise<void> {
    const [frame = new Uint8Array()] = frames
    await network.host(guest.key.peerId).send(node.key.peerId, 'root', frame)
    await clock.sleep(millis(10))
  }

  test.each([
    ['a long life', 3600],
    ['an ordinary life', 30]
  ])('with %s is not handled again', async (_what, life) => {
    expect(await clock.run(call(life))).toBe(1)
    await clock.run(kill())
    await clock.run(replay())
    expect(handled).toBe(1)
    await clock.run(clock.sleep(seconds(life === 30 ? 28 : 1800)))
    await clock.run(replay())
    expect(handled).toBe(1)
    expect(await clock.run(call(30))).toBe(2)
  })

  test('with a long life is on the disk before its handler begins', async () => {
    await clock.run(call(3600))
    await clock.run(kill(disks[0]))
    await clock.run(replay())
    expect(handled).toBe(1)
    expect(node.counters.snapshot()['messages.refused.replayed']).toBe(1)
  })

  test('tells a caller with a slow clock that the node came back, and serves it soon after', async () => {
    await clock.run(kill())
    const outcome = call(5).then(
      () => 'served',
      (error: { readonly code: string }) => error.code
    )
    expect(await clock.run(outcome)).toBe('served')
    expect(node.counters.snapshot()['messages.refused.unknown-history']).toBeGreaterThan(0)
    expect(await clock.run(node.client(node.owner).invoke({ behavior: count.name }))).toBe(2)
  })

  test('that cannot be written down is not handled, and its caller learns that', async () => {
    await store.stop()
    await expect(clock.run(call(3600))).rejects.toMatchObject({ code: 'ACTOR_NOT_RECORDED', kind: 'unavailable' })
    expect(handled).toBe(0)
    expect(await clock.run(call(30))).toBe(1)
    await clock.run(clock.sleep(minutes(1)))
  })
})
