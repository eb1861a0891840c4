import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { assembleWat } from '../../scripts/build-wasm.ts'
import { eventually } from '../support/machine.ts'
import { createNetWorld, findNetworkNamespaces, type NetWorld, type Site, type Uplink } from '../support/net-world.ts'

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url))
const netns = await findNetworkNamespaces()

/** How long the relay is cut off; a minute by hand, less where time is short. */
const CUT_SECONDS = Number(process.env['DMS_TEST_CUT_SECONDS'] ?? '25')

interface Self {
  readonly id: string
  readonly listen_addr: string
}

interface Peers {
  readonly peers: readonly { readonly peer_id: string; readonly connection?: string }[]
}

interface Status {
  readonly status: string
  readonly error: string
}

const ask = async <Reply>(site: Site, behavior: string, ...flags: readonly string[]): Promise<Reply> =>
  JSON.parse(await site.succeed(['actor', 'cmd', '-c', 'user', behavior, ...flags])) as Reply

/** A node with a public address that others meet at; an ordinary one. Returns its address. */
async function startRelay(relay: Site): Promise<string> {
  await relay.succeed(['up', '--set', 'p2p.bootstrap_peers=[]'])
  const { id } = await ask<Self>(relay, '/dms/node/peers/self')
  return `/ip4/${relay.publicIp}/tcp/9000/p2p/${id}`
}

const idOf = async (site: Site): Promise<string> => (await ask<Self>(site, '/dms/node/peers/self')).id

async function connectionOf(from: Site, to: string): Promise<string | undefined> {
  const { peers } = await ask<Peers>(from, '/dms/node/peers/list')
  return peers.find(({ peer_id }) => peer_id === to)?.connection
}

describe.skipIf(!netns.available)(netns.title('two strangers behind two routers'), () => {
  let world: NetWorld
  let provider: Site
  let deployer: Site

  beforeAll(async () => {
    world = await createNetWorld()
  })
  afterAll(() => world.dispose())

  /** Nobody has anything but the program and, with the relay, one address of it. */
  async function strangers(name: string, uplink: Uplink): Promise<void> {
    provider = await world.site(`${name}-provider`, uplink)
    deployer = await world.site(`${name}-deployer`, uplink)
    for (const file of ['hello.yaml', 'hello.wasm']) await copyFile(join(EXAMPLES, file), join(deployer.home, file))
  }

  afterEach(async () => {
    for (const site of [provider, deployer]) await site.kill()
  })

  test('cannot work together without a relay, and learn why', async () => {
    await strangers('alone', 'cone')
    const alone = ['--set', 'p2p.bootstrap_peers=[]']
    await provider.succeed(['up', '--lend', ...alone])
    const invited = await provider.nunet(['invite', '--wait', '1s'])
    expect(invited.stderr).toMatch(/no address .*could use|only .* local|elsewhere/i)
    const joined = await deployer.nunet(['join', '--yes', ...alone, '-'], { input: invited.stdout })
    expect(joined.code).toBe(69)
    const { code, stdout, stderr } = await deployer.nunet(['deploy', 'hello.yaml'])
    expect(stderr).toMatch(/cannot reach|no relay is connected|nobody/)
    expect([code === 0, stdout]).toEqual([false, ''])
  })

  test.each(['cone', 'symmetric'] as const)(
    'get from nothing to the output of a job by at most three commands each, within 60 s, when a relay is there (%s)',
    async (uplink) => {
      await strangers(uplink, uplink)
      const relay = await world.site(`${uplink}-relay`, 'public')
      const meeting = await startRelay(relay)
      const began = performance.now()
      await provider.succeed(['up', '--lend', '--set', `p2p.bootstrap_peers=${meeting}`])
      const invitation = await provider.succeed(['invite'])
      await deployer.succeed(['join', '--yes', '-'], invitation)
      const { code, stdout } = await deployer.nunet(['deploy', 'hello.yaml'])
      const elapsed = (performance.now() - began) / 1000
      process.stdout.write(`  ${uplink}: from nothing to the output: ${elapsed.toFixed(1)} s, 2 commands on each side\n`)
      expect({ code, stdout }).toEqual({ code: 0, stdout: 'hello from an ensemble\nargument: world\n' })
      expect(elapsed).toBeLessThan(60)
    }
  )
})
