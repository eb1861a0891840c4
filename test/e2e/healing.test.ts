import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../support/machine.ts'
import { createNetWorld, findNetworkNamespaces, type NetWorld, type Site } from '../support/net-world.ts'

const netns = await findNetworkNamespaces()

/** Within this every node must be reachable again. */
const MINUTE = 60

interface Peers {
  readonly Peers: readonly string[]
}

async function ask<Reply>(site: Site, behavior: string, ...flags: readonly string[]): Promise<Reply> {
  return JSON.parse(await site.succeed(['actor', 'cmd', '-c', 'user', behavior, ...flags])) as Reply
}

describe.skipIf(!netns.available)(netns.title('a network that breaks'), () => {
  let world: NetWorld
  let meeting: Site
  let one: Site
  let other: Site
  let hidden: Site
  const ids = new Map<Site, string>()

  beforeAll(async () => {
    world = await createNetWorld()
    meeting = await world.site('meeting', 'public')
    one = await world.site('one', 'public')
    other = await world.site('other', 'public')
    hidden = await world.site('hidden', 'symmetric')
    await start(meeting, '[]')
    const address = `/ip4/${meeting.publicIp}/tcp/9000/p2p/${idOf(meeting)}`
    await Promise.all([one, other, hidden].map((site) => start(site, address)))
    for (const site of [one, other, hidden]) await eventuallyReaches(meeting, site)
    for (const site of [other, hidden]) await eventuallyReaches(one, site)
    await eventuallyReaches(other, hidden)
  }, 180_000)
  afterAll(() => world.dispose())

  async function start(site: Site, bootstrap: string): Promise<void> {
    await site.succeed(['up', '--set', `p2p.bootstrap_peers=${bootstrap}`])
    ids.set(site, (await ask<{ readonly id: string }>(site, '/dms/node/peers/self')).id)
  }

  function idOf(site: Site): string {
    return ids.get(site) ?? ''
  }

  async function reaches(from: Site, to: Site): Promise<boolean> {
    const { Error: error } = await ask<{ readonly Error: string }>(from, '/dms/node/peers/ping', '--host', idOf(to), '-t', '15s')
    if (error !== '') throw new Error(error)
    return true
  }

  async function eventuallyReaches(from: Site, to: Site): Promise<number> {
    const began = performance.now()
    await eventually('an answer', MINUTE, async () => ((await reaches(from, to)) ? true : undefined))
    return (performance.now() - began) / 1000
  }

  async function isConnected(from: Site, to: Site): Promise<boolean> {
    return (await ask<Peers>(from, '/dms/node/peers/list')).Peers.includes(idOf(to))
  }

  async function expectBack(what: string, ways: readonly (readonly [Site, Site])[]): Promise<void> {
    const began = performance.now()
    for (const [from, to] of ways) await eventuallyReaches(from, to)
    const elapsed = (performance.now() - began) / 1000
    process.stdout.write(`  ${what}: all are reached again after ${elapsed.toFixed(1)} s\n`)
    expect(elapsed).toBeLessThan(MINUTE)
  }

  test('has two hosts that were cut off from each other connected again, from both sides', async () => {
    const repair = await one.cutOff(other)
    await eventually('the end of the dead connection', 45, async () =>
      (await isConnected(one, other)) || (await isConnected(other, one)) ? undefined : true
    )
    await repair()
    await eventually('the connection', MINUTE, async () => ((await isConnected(other, one)) ? true : undefined))
    await expectBack('cut off and healed', [
      [one, other],
      [other, one]
    ])
  })

  test('finds a host whose address has changed, and lets it find others', async () => {
    const before = other.publicIp
    await other.move()
    await expectBack('another address', [
      [other, one],
      [one, other],
      [hidden, other]
    ])
    const self = await ask<{ readonly listen_addr: string }>(other, '/dms/node/peers/self')
    expect(self.listen_addr).toContain(`/ip4/${other.publicIp}/tcp/9000/`)
    expect(self.listen_addr).not.toContain(before)
  })

  test('goes on without the node at which all of them met', async () => {
    await meeting.kill()
    await expectBack('no meeting point', [
      [one, hidden],
      [other, hidden],
      [hidden, one],
      [one, other]
    ])
  })
})
