import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { rootHandleOf } from '../../src/actor/index.ts'
import { hours, type JsonValue, millis, minutes, seconds, toNanos } from '../../src/base/index.ts'
import { generateKeyPair, type KeyPair } from '../../src/identity/index.ts'
import {
  capAnchor,
  capList,
  capProvideAnchor,
  capReload,
  capRemove,
  capRequireAnchor,
  capRevokeAnchor,
  capRevokeBroadcast,
  capRootAnchor,
  hello,
  type PublicBehavior,
  revocationNotice
} from '../../src/protocol/index.ts'
import { type Cluster, type ClusterNode, createCluster, createVirtualClock, type VirtualClock } from '../../src/testing/index.ts'
import { type CapabilityContext, createContext, type Token } from '../../src/ucan/index.ts'

const SCOPE = { capabilities: ['/public', '/broadcast'], topics: ['/nunet'] }

/** An organization of three nodes: each requires what the organization grants, and provides its own grant. */
describe('in an organization', () => {
  let clock: VirtualClock
  let cluster: Cluster
  let organization: CapabilityContext
  let home: ClusterNode
  let member: ClusterNode
  let host: ClusterNode
  let grant: Token

  beforeEach(async () => {
    clock = createVirtualClock()
    cluster = await createCluster(clock)
    organization = createContext({ signer: generateKeyPair() })
    home = await join()
    host = await join()
    member = await join()
    grant = member.context.list(clock.now()).provide[0] as Token
  })

  afterEach(async () => {
    await clock.run(cluster.dispose())
  })

  const until = (): bigint => toNanos(millis(clock.now() + hours(24 * 30)))

  async function join(): Promise<ClusterNode> {
    const node = await cluster.start()
    const required = await createContext({ signer: node.user }).grant({ ...SCOPE, subject: organization.did, expiresAt: until() })
    const provided = await organization.grant({ ...SCOPE, subject: node.key.did, expiresAt: until() })
    await node.contextFile.update((context) => {
      context.anchor({ kind: 'require', token: required }, clock.now())
      context.anchor({ kind: 'provide', token: provided }, clock.now())
    })
    return node
  }

  function root(node: ClusterNode) {
    const handle = rootHandleOf(node.key.publicKey)
    if (!handle.ok) throw new Error('no handle')
    return handle.value
  }

  async function mayGreet(caller: ClusterNode, receiver: ClusterNode): Promise<boolean> {
    const call = clock.run(caller.actors.root.invoke(root(receiver), hello, null, { timeout: seconds(2) }))
    return call.then(
      () => true,
      () => false
    )
  }

  const ask = <Request, Reply>(node: ClusterNode, behavior: PublicBehavior<Request, Reply>, request: NoInfer<Request>) =>
    clock.run(node.actors.root.invoke(root(node), behavior, request, { timeout: seconds(5) }))

  const publish = async (token: readonly Token[]) => ask(home, capRevokeBroadcast, { token })
  const settle = () => clock.run(clock.sleep(seconds(3)))
  const count = (node: ClusterNode, name: string) => node.counters.snapshot()[name] ?? 0

  /** Has a node say on the topic what it would not say by itself. */
  async function say(from: ClusterNode, token: readonly Token[]): Promise<void> {
    await clock.run(from.actors.root.broadcast(revocationNotice, { token }))
    await settle()
  }

  /** The revoked one goes on as if it had not heard: what protects others is what they know. */
  async function defy(revocation: Token): Promise<void> {
    member.context.forget(revocation)
    await member.contextFile.reload()
    expect(member.context.list(clock.now()).provide).toEqual([grant])
  }

  test('forged, expired and other tokens revoke nothing, whoever sends them', async () => {
    const good = await organization.revoke(grant)
    const thief = createContext({ signer: generateKeyPair() })
    const stolen = await thief.grant({ ...SCOPE, subject: member.key.did, expiresAt: until() })
    const expired = await organization.grant({ ...SCOPE, subject: member.key.did, expiresAt: toNanos(clock.now()) })
    const claims: readonly Token[] = [
      { ...good, signature: (await thief.revoke(stolen)).signature },
      { ...(await thief.revoke(stolen)), issuer: organization.did },
      { ...good, expiresAt: good.expiresAt + 1n },
      { ...good, chain: grant },
      await organization.revoke(expired),
      grant
    ]
    await clock.run(clock.sleep(seconds(1)))
    await say(home, claims)
    expect(count(host, 'revocations.bad')).toBe(claims.length)
    expect(await mayGreet(member, host)).toBe(true)
    await say(home, [await thief.revoke(stolen)])
    expect(count(host, 'revocations.learned')).toBe(1)
    expect(await mayGreet(member, host)).toBe(true)
  })

  test('a node that others do not know by a token is told that they will not listen', async () => {
    const revocation = await organization.revoke(grant)
    expect((await ask(host, capRevokeBroadcast, { token: [revocation] })).notices ?? []).toEqual([])
    const [own] = host.context.list(clock.now()).provide
    if (own === undefined) throw new Error('the host has no token')
    await host.contextFile.update((context) => context.remove({ kind: 'provide', token: own }))
    const { notices = [] } = await ask(host, capRevokeBroadcast, {})
    expect(notices).toHaveLength(1)
    expect(notices[0]).toContain('no provide anchor for /broadcast/revocation on the topic /nunet/revocation')
  })

  test('a list with null inside, too many tokens and no list at all are refused, and the node goes on', async () => {
    const raw = (value: JsonValue) => ({ ...revocationNotice, request: { ...revocationNotice.request, encode: () => value } })
    const wrapped = { tok: [null] }
    for (const value of [
      { Token: wrapped },
      { Token: [] },
      { Token: { tok: Array(65).fill({}) } },
      'x',
      { Token: { dms: null } }
    ]) {
      await clock.run(home.actors.root.broadcast(raw(value as JsonValue), { token: [] }))
    }
    await settle()
    expect(count(host, 'revocations.learned')).toBe(0)
    expect(await mayGreet(member, host)).toBe(true)
  })

  test('a good revocation from somebody without a token for the topic is not heard', async () => {
    const stranger = await cluster.start()
    await say(stranger, [await organization.revoke(grant)])
    expect(count(host, 'messages.refused.not-authorized')).toBeGreaterThan(0)
    expect(await mayGreet(member, host)).toBe(true)
  })

  test('a revoked member is refused within seconds everywhere, also after a restart', async () => {
    expect(await mayGreet(member, host)).toBe(true)
    const revocation = await organization.revoke(grant)
    expect(await publish([revocation])).toMatchObject({ ok: true, tokensCount: 1 })
    await settle()
    await defy(revocation)
    expect(await mayGreet(member, host)).toBe(false)
    expect(await mayGreet(home, host)).toBe(true)
    await clock.run(host.stop())
    host = await clock.run(cluster.start(host))
    expect(await mayGreet(member, host)).toBe(false)
    expect(await mayGreet(home, host)).toBe(true)
    // The owner's file did not grow.
    expect((await ask(host, capList, { context: '' })).revoke).toEqual([])
    expect((await ask(home, capList, { context: '' })).revoke).toEqual([revocation])
  })

  test('the revoked node itself stops offering what it can no longer use', async () => {
    await publish([await organization.revoke(grant)])
    await settle()
    expect(member.context.list(clock.now()).provide).toEqual([])
  })

  test('a node that was away learns of it seconds after it has come back', async () => {
    await clock.run(host.stop())
    const revocation = await organization.revoke(grant)
    await publish([revocation])
    await clock.run(clock.sleep(hours(2)))
    await defy(revocation)
    host = await clock.run(cluster.start(host))
    expect(await mayGreet(member, host)).toBe(true)
    await clock.run(clock.sleep(seconds(10)))
    await defy(revocation)
    expect(await mayGreet(member, host)).toBe(false)
  })

  test('a node that missed the message learns of it in a regular round', async () => {
    const revocation = await organization.revoke(grant)
    const relay = await join()
    for (const other of [home, member, relay]) cluster.network.unlink(host.key.peerId, other.key.peerId)
    await publish([revocation])
    await settle()
    cluster.network.link(host.key.peerId, relay.key.peerId) // which passes on what it hears, and repeats nothing itself
    await clock.run(clock.sleep(seconds(10)))
    expect(host.context.isRevoked(grant)).toBe(false)
    await clock.run(clock.sleep(minutes(13)))
    expect(host.context.isRevoked(grant)).toBe(true)
  })

  test('what one sender floods is bounded, and does not displace what concerns our anchors', async () => {
    const revocation = await organization.revoke(grant)
    await publish([revocation])
    await settle()
    for (let round = 0; round < 40; round += 1) {
      const flood = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const self = createContext({ signer: generateKeyPair() })
          return self.revoke(await self.grant({ capabilities: ['/a'], subject: self.did, expiresAt: until() }))
        })
      )
      await clock.run(member.actors.root.broadcast(revocationNotice, { token: flood }))
    }
    await settle()
    // The member that floods is revoked: it is not even heard.
    expect(count(host, 'revocations.learned')).toBe(1)
    for (let round = 0; round < 60; round += 1) {
      const self = createContext({ signer: generateKeyPair() })
      const one = await self.revoke(await self.grant({ capabilities: ['/a'], subject: self.did, expiresAt: until() }))
      await clock.run(home.actors.root.broadcast(revocationNotice, { token: Array.from({ length: 20 }, () => one) }))
    }
    await settle()
    expect(count(host, 'revocations.refused.too-often')).toBeGreaterThan(0)
    await defy(revocation)
    expect(await mayGreet(member, host)).toBe(false)
  })

  test('the broadcast form of the command is heard like the notice', async () => {
    const revocation = await organization.revoke(grant)
    const provided = await organization.grant({
      capabilities: ['/dms/cap/revoke'],
      topics: ['/nunet'],
      subject: home.key.did,
      expiresAt: until()
    })
    const required = await createContext({ signer: host.user }).grant({
      capabilities: ['/dms/cap/revoke'],
      topics: ['/nunet'],
      subject: organization.did,
      expiresAt: until()
    })
    await host.contextFile.update((context) => context.anchor({ kind: 'require', token: required }, clock.now()))
    await home.contextFile.update((context) => context.anchor({ kind: 'provide', token: provided }, clock.now()))
    await clock.run(home.actors.root.broadcast(capRevokeBroadcast, { token: [revocation] }))
    await settle()
    expect(host.context.isRevoked(grant)).toBe(true)
    expect(await mayGreet(member, host)).toBe(false)
    // Heard, not obeyed: a broadcast adds no anchor.
    expect((await ask(host, capList, { context: '' })).revoke).toEqual([])
  })
})

describe('the capabilities of a running node', () => {
  let clock: VirtualClock
  let cluster: Cluster
  let node: ClusterNode
  let guest: ClusterNode
  let visitor: KeyPair

  beforeEach(async () => {
    clock = createVirtualClock()
    cluster = await createCluster(clock)
    node = await cluster.start()
    guest = await cluster.start()
    visitor = guest.user
  })

  afterEach(async () => {
    await clock.run(cluster.dispose())
  })

  function ask<Request, Reply>(behavior: PublicBehavior<Request, Reply>, request: NoInfer<Request>, from = node): Promise<Reply> {
    const handle = rootHandleOf(node.key.publicKey)
    if (!handle.ok) throw new Error('no handle')
    return clock.run(from.actors.root.invoke(handle.value, behavior, request, { timeout: seconds(5) }))
  }

  const grantOf = (issuer: KeyPair, subject: KeyPair): Promise<Token> =>
    createContext({ signer: issuer }).grant({
      capabilities: ['/public'],
      subject: subject.did,
      expiresAt: toNanos(millis(clock.now() + hours(1)))
    })

  test('are closed to others, also to members who may call everything public', async () => {
    await cluster.trust(node, guest)
    const token = [await grantOf(visitor, guest.key)]
    for (const behavior of [capRequireAnchor, capProvideAnchor, capRevokeAnchor]) {
      await expect(ask(behavior, { token }, guest)).rejects.toThrow()
    }
    await expect(ask(capRootAnchor, { did: [guest.key.did] }, guest)).rejects.toThrow()
    await expect(ask(capReload, null, guest)).rejects.toThrow()
    await expect(ask(capRevokeBroadcast, {}, guest)).rejects.toThrow()
    expect((await ask(capList, { context: '' })).roots).toEqual([node.user.did])
  })

  test('take all anchors of a request or none', async () => {
    const good = await grantOf(node.user, visitor)
    const bad = { ...good, signature: new Uint8Array(64) }
    await expect(ask(capAnchor, { roots: [visitor.did], require: [good, bad] })).rejects.toMatchObject({
      code: 'NODE_ANCHOR_REFUSED'
    })
    await expect(ask(capRequireAnchor, { token: [] })).rejects.toMatchObject({ code: 'NODE_BAD_REQUEST' })
    await expect(ask(capRemove, { roots: [visitor.did] })).rejects.toMatchObject({ code: 'NODE_NO_ANCHOR', kind: 'not-found' })
    expect(await ask(capList, { context: '' })).toMatchObject({ roots: [node.user.did], require: [], provide: [] })
  })

  test('change at once, and stay after a restart', async () => {
    expect(await ask(capRootAnchor, { did: [visitor.did] })).toEqual({ ok: true, error: '' })
    const required = await grantOf(node.user, visitor)
    await ask(capRequireAnchor, { token: [required] })
    const provided = await grantOf(visitor, node.key)
    await ask(capProvideAnchor, { token: [provided] })
    await clock.run(node.stop())
    node = await clock.run(cluster.start(node))
    expect(await ask(capList, { context: '' })).toMatchObject({
      roots: [node.user.did, visitor.did],
      require: [required],
      provide: [provided]
    })
    await ask(capRemove, { roots: [visitor.did], require: [required] })
    const revocation = await createContext({ signer: visitor }).revoke(provided)
    await ask(capRevokeAnchor, { token: [revocation] })
    expect(await ask(capList, { context: '' })).toMatchObject({
      roots: [node.user.did],
      require: [],
      provide: [],
      revoke: [revocation]
    })
    expect(await ask(capReload, null)).toMatchObject({ ok: true, added: { roots: 0 }, removed: { roots: 0 }, notices: [] })
  })
})
