import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeGoJson, gibibytes, type JsonValue, minutes, ok, seconds } from '../../src/base/index.ts'
import {
  allocationsList,
  BEHAVIOR_GROUPS,
  broadcastStatus,
  deploymentNew,
  examplesOf,
  flightRecorder,
  hardwareUsage,
  loggerConfig,
  nodeMetrics,
  nodeStatus,
  offboard,
  onboard,
  onboardingResource,
  type PublicBehavior,
  peersDht,
  peersList,
  peersPing,
  peersScore,
  peersSelf,
  publicStatus,
  resourcesOnboarded,
  type WireResources
} from '../../src/protocol/index.ts'
import {
  CLUSTER_MACHINE,
  type Cluster,
  type ClusterNode,
  createCluster,
  createVirtualClock,
  type VirtualClock
} from '../../src/testing/index.ts'
import { rootOf } from '../support/root-of.ts'

type AnyBehavior = PublicBehavior<unknown, unknown>

const SERVED: readonly AnyBehavior[] = BEHAVIOR_GROUPS.filter(({ title }) =>
  ['Node and peers', 'Lending', 'Capabilities'].includes(title)
).flatMap(({ behaviors }) => behaviors)

const OWNERS = SERVED.filter(({ callers }) => callers === 'root')

/** What the node of the test answers to the example of the reference page when it is no reply: the example is of another world. */
const REFUSED: Readonly<Record<string, string>> = {
  '/dms/cap/anchor': 'NODE_ANCHOR_REFUSED', // it grants and revokes the same token
  '/dms/cap/remove': 'NODE_NO_ANCHOR',
  '/dms/node/peers/connect': 'NETWORK_BAD_ADDRESS',
  '/dms/node/logger/config': 'NODE_LOG_SETTING',
  '/dms/node/onboarding/onboard': 'ONBOARDING_CAPACITY_NOT_MET',
  '/dms/node/onboarding/offboard': 'ONBOARDING_NOT_ONBOARDED',
  '/dms/node/onboarding/resource': 'NODE_BAD_REQUEST',
  '/dms/node/volumes/delete': 'NODE_UNKNOWN_VOLUME'
}

/** The same behaviour with its JSON as it travels. */
function raw({ name }: AnyBehavior) {
  const codec = { decode: (wire: unknown) => ok(wire as JsonValue), encode: (value: JsonValue) => value }
  return { name, request: codec, reply: codec }
}

function lend(cores: number): WireResources {
  return {
    cpu: { clockHz: 0, cores, model: '', vendor: '', threads: 0, architecture: '', cacheBytes: 0 },
    gpus: [],
    ram: { size: gibibytes(4), clockSpeed: 0, type: '' },
    disk: { size: gibibytes(8), type: '' }
  }
}

/** A job of one core that runs until it is ended. */
function service(name: string): JsonValue {
  const resources = { cpu: { cores: 1 }, ram: { size: gibibytes(1) }, disk: { size: gibibytes(1) } }
  const execution = { type: 'null', params: { forever: true } }
  return {
    v1: {
      allocations: { [name]: { type: 'service', executor: 'null', resources, execution } },
      nodes: { node1: { allocations: [name] } }
    }
  }
}

describe('the behaviours of a node', () => {
  let clock: VirtualClock
  let cluster: Cluster
  let node: ClusterNode
  let owner: ClusterNode
  let friend: ClusterNode
  let stranger: ClusterNode

  beforeEach(async () => {
    clock = createVirtualClock()
    cluster = await createCluster(clock)
    node = await cluster.start()
    owner = await cluster.start()
    friend = await cluster.start()
    stranger = await cluster.start()
    for (const guest of [owner, friend]) {
      await cluster.trust(node, guest)
      await cluster.trust(guest, node)
    }
    await node.contextFile.update((draft) => draft.anchor({ kind: 'root', did: owner.key.did }, clock.now()))
  })

  afterEach(async () => {
    await clock.run(cluster.dispose())
  })

  function ask<Request, Reply>(caller: ClusterNode, behavior: PublicBehavior<Request, Reply>, request: NoInfer<Request>) {
    return clock.run(caller.actors.root.invoke(rootOf(node), behavior, request, { timeout: seconds(5) }))
  }

  test.each(OWNERS.map((behavior) => [behavior.name, behavior] as const))(
    '%s is not for strangers or members of the network, and answers the request of the reference page in the form of that page',
    async (name, behavior) => {
      const request = examplesOf(behavior).request
      const call = (caller: ClusterNode) =>
        clock.run(caller.actors.root.invoke(rootOf(node), raw(behavior), request, { timeout: seconds(5) }))
      await expect(call(stranger)).rejects.toMatchObject({ code: 'ACTOR_NO_REPLY' })
      await expect(call(friend)).rejects.toMatchObject({ code: 'ACTOR_NO_REPLY' })
      const code = REFUSED[name]
      if (code !== undefined) {
        await expect(call(owner)).rejects.toMatchObject({ code })
        return
      }
      const reply = await call(owner)
      const decoded = behavior.reply.decode(reply)
      expect(decoded.ok ? [] : decoded.error).toEqual([])
      if (decoded.ok) expect(behavior.reply.encode(decoded.value)).toEqual(reply)
    }
  )

  test.each(SERVED.filter(({ callers }) => callers === 'public').map((behavior) => [behavior.name, behavior] as const))(
    '%s is not for strangers, and answers members in the form of the reference page',
    async (_, behavior) => {
      const call = (caller: ClusterNode) =>
        clock.run(caller.actors.root.invoke(rootOf(node), raw(behavior), examplesOf(behavior).request, { timeout: seconds(5) }))
      await expect(call(stranger)).rejects.toMatchObject({ code: 'ACTOR_NO_REPLY' })
      const reply = await call(friend)
      const decoded = behavior.reply.decode(reply)
      expect(decoded.ok && behavior.reply.encode(decoded.value)).toEqual(reply)
    }
  )

  test.each(['/dms/node/vm/start/custom', '/dms/node/container/start', '/dms/node/vm/stop', '/dms/node/container/list'])(
    '%s, which would start anything for whoever holds the root capability, does not exist and says so',
    async (name) => {
      const call = clock.run(owner.actors.root.invoke(rootOf(node), raw({ ...publicStatus, name }), {}, { timeout: seconds(5) }))
      await expect(call).rejects.toMatchObject({ code: 'ACTOR_UNKNOWN_BEHAVIOR', message: `there is no behaviour ${name} here` })
    }
  )

  describe('status', () => {
    test('tells the owner everything under the peer id of the node', async () => {
      await ask(owner, onboard, { noGpu: true, gpus: [], config: { resources: lend(2) } })
      const reply = await ask(owner, nodeStatus, null)
      expect(Object.keys(reply)).toEqual([node.key.peerId])
      const status = reply[node.key.peerId]
      expect(status).toMatchObject({
        hostname: 'private-host',
        did: node.key.did,
        version: '0.0.0-test',
        onboarded: true,
        executors: [{ name: 'null', available: true }],
        errors: []
      })
      expect(status?.network.interfaces).toEqual([
        { name: 'private0', ip: ['192.0.2.7/24', '2001:db8::7/64'], mac: '02:00:00:00:00:07' }
      ])
      expect(status?.network.p2p.listenAddress).toContain(node.key.peerId)
      const { total, onboarded, allocated, free } = status?.resources ?? {}
      expect([total, onboarded, allocated, free].map((part) => part?.cpu.cores)).toEqual([CLUSTER_MACHINE.cpu.cores, 2, 0, 2])
    })

    test('as a broadcast tells members public facts only, and strangers nothing', async () => {
      await ask(owner, onboard, { noGpu: true, gpus: [], config: { resources: lend(2) } })
      const replies: JsonValue[] = []
      const inbox = { ...raw(broadcastStatus), name: '/public/user/1' }
      for (const asker of [friend, stranger]) {
        asker.actors.root.on(inbox, async (reply) => {
          replies.push(reply)
          return null
        })
        await clock.run(asker.actors.root.broadcast(broadcastStatus, null, { replyTo: inbox.name }))
        await clock.run(clock.sleep(seconds(10)))
      }
      const own = replies.filter((reply) => encodeGoJson(reply).includes(node.key.peerId))
      expect(own).toHaveLength(1)
      const [text] = own.map(encodeGoJson)
      expect(text).not.toMatch(/private|hostname|interfaces|mac_address|listen_addr|config|192\.0\.2|2001:db8/)
      expect(own[0]).toMatchObject({
        [node.key.peerId]: { did: node.key.did, onboarded: true, executors: ['null'], resources: { free: { cpu: { cores: 2 } } } }
      })
    })

    test('in public has the machine without what tells it from others of its kind', async () => {
      const { status, resources } = await ask(friend, publicStatus, null)
      expect([status, resources.cpu.cores]).toEqual(['OK', CLUSTER_MACHINE.cpu.cores])
      await expect(ask(stranger, publicStatus, null)).rejects.toMatchObject({ code: 'ACTOR_NO_REPLY' })
    })
  })

  describe('peers', () => {
    test('are listed in one order, under both names that clients look for', async () => {
      const connected = [owner, friend, stranger].map(({ key }) => key.peerId).sort()
      const { upper, lower } = await ask(owner, peersList, null)
      expect(upper).toEqual(connected)
      expect(lower.map(({ id }) => id)).toEqual(connected)
      expect(lower.find(({ id }) => id === friend.key.peerId)?.did).toBe(friend.key.did)
      expect((await ask(owner, peersDht, null)).peers.map(({ id }) => id)).toEqual(connected)
    })

    test('are pinged by others, not by themselves', async () => {
      expect(await ask(owner, peersPing, { host: friend.key.peerId })).toMatchObject({ error: '', rtt: 1 })
      expect(await ask(owner, peersPing, { host: node.key.peerId })).toMatchObject({
        error: 'cannot ping the own peer id',
        rtt: 0
      })
    })

    test('have a did and addresses of their own', async () => {
      const self = await ask(owner, peersSelf, null)
      expect(self).toMatchObject({ id: node.key.peerId, did: node.key.did, reachability: 'unknown' })
      expect(self.listenAddress).toContain(node.key.peerId)
    })

    test('count 5 after hellos both ways, and 1 as long as one way is missing', async () => {
      await clock.run(clock.sleep(minutes(2)))
      const { score } = await ask(owner, peersScore, null)
      expect(Object.keys(score)).toEqual([owner, friend, stranger].map(({ key }) => key.peerId).sort())
      expect(score[friend.key.peerId]).toMatchObject({ score: 5, application: 5, colocation: 0, penalty: 0 })
      expect(score[stranger.key.peerId]?.application).toBe(1)
    })

    test('lose what they had when they go, until hellos went both ways again', async () => {
      await clock.run(clock.sleep(minutes(2)))
      cluster.network.unlink(node.key.peerId, friend.key.peerId)
      await clock.run(clock.sleep(seconds(1)))
      cluster.network.link(node.key.peerId, friend.key.peerId)
      await clock.run(clock.sleep(seconds(1)))
      const { score } = await ask(owner, peersScore, null)
      expect(score[friend.key.peerId]?.application).toBe(1)
    })
  })

  describe('the log', () => {
    test('takes a level at once, says that it does not outlast a restart, and keeps the event without its secrets', async () => {
      const reply = await ask(owner, loggerConfig, { level: 'DEBUG' })
      expect(reply).toMatchObject({ ok: true, error: '', level: 'debug', persisted: false })
      expect(reply.notices?.join()).toContain('until the next start')
      const { events } = await ask(owner, flightRecorder, {})
      expect(events.at(-1)).toMatchObject({ message: 'level changed', fields: { least: 'debug', passphrase: '«secret»' } })
      expect((await ask(owner, flightRecorder, { level: 'error' })).events).toEqual([])
    })

    test('stops at the first setting that it cannot apply, and says which were applied before', async () => {
      await expect(ask(owner, loggerConfig, { level: 'warn', apiKey: 'hunter2' })).rejects.toMatchObject({
        code: 'NODE_LOG_SETTING',
        kind: 'invalid',
        message: 'api_key: this version sends its log to no Elasticsearch service; applied before: level'
      })
      await expect(ask(owner, loggerConfig, { interval: 5, level: 'error' })).rejects.toThrow(/^interval: .*no interval to set$/)
      expect((await ask(owner, loggerConfig, { elasticEnabled: false })).level).toBe('warn')
    })

    test.each([
      [{ level: 'loud' }, 'level: "loud" is none of debug, info, warn, error'],
      [{}, 'nothing to set: give a level, one of debug, info, warn, error'],
      [{ apmUrl: 'https://apm.example' }, 'apm_url: this version sends no traces to an APM service'],
      [{ url: 'https://logs.example' }, 'url: this version sends its log to no Elasticsearch service']
    ])('refuses %j by name', async (settings, message) => {
      await expect(ask(owner, loggerConfig, settings)).rejects.toThrow(message)
    })
  })

  describe('lending', () => {
    test('is changed by the behaviour of 2024 only while something is lent', async () => {
      await expect(ask(owner, onboardingResource, { config: { resources: lend(1) } })).rejects.toThrow(
        'the machine lends nothing yet'
      )
      await ask(owner, onboard, { noGpu: true, gpus: [], config: { resources: lend(2) } })
      const { error, result } = await ask(owner, onboardingResource, { config: { resources: lend(3) } })
      expect([error, result.resources.cpu.cores]).toEqual(['', 3])
      expect((await ask(owner, resourcesOnboarded, null)).resources.cpu.cores).toBe(3)
    })

    test('understands the requests of 2024, whose names differ in case', async () => {
      const old = {
        Config: { Onboarded_Resources: { CPU: { Cores: 2 }, RAM: { Size: gibibytes(4) }, Disk: { Size: gibibytes(8) } } }
      }
      const reply = await clock.run(owner.actors.root.invoke(rootOf(node), raw(onboard), old, { timeout: seconds(5) }))
      expect(reply).toMatchObject({ success: true, error: '', config: { is_onboarded: true } })
      expect(await clock.run(owner.actors.root.invoke(rootOf(node), raw(offboard), { Force: true }))).toMatchObject({
        success: true
      })
    })

    test('tells what the machine uses, and which jobs run', async () => {
      expect((await ask(owner, hardwareUsage, null)).resources.cpu.cores).toBe(0)
      expect(await ask(owner, allocationsList, {})).toEqual({ allocations: [], error: '', total: 0, hasMore: false })
      await expect(ask(owner, allocationsList, { status: ['busy'] })).rejects.toThrow('unknown status "busy"; known are pending')
    })

    test('lists the jobs of others in pages, the oldest first', async () => {
      await ask(owner, onboard, { noGpu: true, gpus: [], config: { resources: lend(3) } })
      for (const name of ['first', 'second', 'third']) {
        await clock.run(
          friend.actors.root.invoke(rootOf(friend), deploymentNew, { ensemble: service(name) }, { timeout: minutes(2) })
        )
        await clock.run(clock.sleep(seconds(30)))
      }
      const all = await ask(owner, allocationsList, {})
      expect(all).toMatchObject({ total: 3, hasMore: false })
      expect(all.allocations.map(({ id }) => id.split('.')[1])).toEqual(['first', 'second', 'third'])
      const [first] = all.allocations
      expect(first).toMatchObject({
        status: 'running',
        executor: 'null',
        type: 'service',
        owner: friend.key.did,
        resources: { cpu: { cores: 1 } }
      })
      expect(first?.containerId).toBe(first?.id)
      const page = await ask(owner, allocationsList, { limit: 1, offset: 1 })
      expect(page).toMatchObject({ total: 3, hasMore: true, nextOffset: 2 })
      expect(page.allocations.map(({ id }) => id.split('.')[1])).toEqual(['second'])
      expect(await ask(owner, allocationsList, { status: ['failed'] })).toMatchObject({ allocations: [], total: 0 })
      expect((await ask(owner, nodeMetrics, null)).allocations).toEqual({ running: 3 })
      const status = (await ask(owner, nodeStatus, null))[node.key.peerId]
      expect([status?.resources.allocated.cpu.cores, status?.resources.free.cpu.cores]).toEqual([3, 0])
    })
  })

  test('counts are of this node, by name', async () => {
    const before = await ask(owner, nodeMetrics, null)
    const after = await ask(owner, nodeMetrics, null)
    expect(after.peers).toBe(3)
    expect(after.counters['messages.accepted']).toBeGreaterThan(before.counters['messages.accepted'] ?? 0)
    expect(after.network['framesReceived']).toBeGreaterThan(0)
  })
})
