import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { assembleWat } from '../../scripts/build-wasm.ts'
import { eventually, type Outcome } from '../support/machine.ts'
import { createNetWorld, findNetworkNamespaces, type NetWorld, type Site, type Uplink } from '../support/net-world.ts'

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url))
const netns = await findNetworkNamespaces()

/** How long the relay is cut off; less than the minute of a run by hand where time is short. */
const CUT_SECONDS = Number(process.env['DMS_TEST_CUT_SECONDS'] ?? '20')

/** How long control may take to return. */
const RETURN_SECONDS = 60

const GREETING = 'hello from an ensemble\nargument: world\n'

interface Self {
  readonly id: string
}

interface Peers {
  readonly peers: readonly { readonly peer_id: string; readonly connection?: string }[]
}

interface Status {
  readonly status: string
  readonly error: string
}

async function ask<Reply>(site: Site, behavior: string, ...flags: readonly string[]): Promise<Reply> {
  return JSON.parse(await site.succeed(['actor', 'cmd', '-c', 'user', behavior, ...flags])) as Reply
}

/** An ordinary node with a public address, at which others meet. Returns its address. */
async function startRelay(relay: Site): Promise<string> {
  await relay.succeed(['up', '--set', 'p2p.bootstrap_peers=[]'])
  const { id } = await ask<Self>(relay, '/dms/node/peers/self')
  return `/ip4/${relay.publicIp}/tcp/9000/p2p/${id}`
}

async function connectionBetween(from: Site, to: Site): Promise<string | undefined> {
  const { id } = await ask<Self>(to, '/dms/node/peers/self')
  const { peers } = await ask<Peers>(from, '/dms/node/peers/list')
  return peers.find(({ peer_id }) => peer_id === id)?.connection
}

/** A job that prints a line a second, so that nobody can mistake a part of its output for all of it. */
async function writeSlowJob(directory: string, lines: number): Promise<string> {
  await writeFile(join(directory, 'slow.wat'), slowModule(lines))
  await writeFile(join(directory, 'slow.wasm'), await assembleWat(pathToFileURL(join(directory, 'slow.wat'))))
  await writeFile(
    join(directory, 'slow.yaml'),
    `version: V1
allocations:
  slow:
    type: task
    executor: wasm
    resources: { cpu: { cores: 0.5 }, ram: { size: 64MiB }, disk: { size: 16MiB } }
    execution: { type: wasm, module: slow.wasm }
nodes:
  there:
    allocations: [slow]
`
  )
  return Array.from({ length: lines }, (_, line) => `line ${String(line).padStart(2, '0')}\n`).join('')
}

const slowModule = (lines: number): string => `(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 512) "line 00\\0a")
  (func (export "_start") (local $line i32)
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 1000000000))
    (i32.store (i32.const 400) (i32.const 512))
    (i32.store (i32.const 404) (i32.const 8))
    (loop $next
      (i32.store8 (i32.const 517) (i32.add (i32.const 48) (i32.div_u (local.get $line) (i32.const 10))))
      (i32.store8 (i32.const 518) (i32.add (i32.const 48) (i32.rem_u (local.get $line) (i32.const 10))))
      (drop (call $write (i32.const 1) (i32.const 400) (i32.const 1) (i32.const 408)))
      (drop (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 256)))
      (local.set $line (i32.add (local.get $line) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $line) (i32.const ${lines}))))))
`

describe.skipIf(!netns.available)(netns.title('two strangers behind two routers'), () => {
  let world: NetWorld
  let relay: Site
  let meeting = ''
  let provider: Site
  let deployer: Site
  let lonely: Promise<Outcome>

  beforeAll(async () => {
    world = await createNetWorld()
  })
  afterAll(() => world.dispose())

  /** They have the program, and one of them the address of a meeting point. */
  async function strangers(name: string, uplink: Uplink): Promise<void> {
    provider = await world.site(`${name}-provider`, uplink)
    deployer = await world.site(`${name}-deployer`, uplink)
    for (const file of ['hello.yaml', 'hello.wasm']) await copyFile(join(EXAMPLES, file), join(deployer.home, file))
  }

  async function fromNothingToOutput(uplink: Uplink): Promise<void> {
    await strangers(uplink, uplink)
    const began = performance.now()
    await provider.succeed(['up', '--lend', '--set', `p2p.bootstrap_peers=${meeting}`])
    const invitation = await provider.succeed(['invite'])
    await deployer.succeed(['join', '--yes', '-'], invitation)
    const { code, stdout } = await deployer.nunet(['deploy', 'hello.yaml'])
    const elapsed = (performance.now() - began) / 1000
    process.stdout.write(`  ${uplink}: from nothing to the output: ${elapsed.toFixed(1)} s, 2 commands on each side\n`)
    expect({ code, stdout }).toEqual({ code: 0, stdout: GREETING })
    expect(elapsed).toBeLessThan(60)
  }

  test('cannot reach each other without a relay, and learn why', async () => {
    await strangers('alone', 'cone')
    const alone = ['--set', 'p2p.bootstrap_peers=[]']
    await provider.succeed(['up', '--lend', ...alone])
    const invited = await provider.nunet(['invite', '--wait', '1s'])
    expect(invited.stderr).toContain('somebody elsewhere may not reach it')
    const joined = await deployer.nunet(['join', '--yes', ...alone, '-'], { input: invited.stdout })
    expect(joined.stderr).toMatch(/cannot reach .*local network.*no relay/)
    expect(joined.code).toBe(69)
    lonely = deployer.nunet(['deploy', 'hello.yaml', '-t', '60s']) // awaited below: it tries for a minute
  })

  test('get from nothing to the output of a job in two commands each when there is a relay', async () => {
    relay = await world.site('relay', 'public')
    meeting = await startRelay(relay)
    await fromNothingToOutput('cone')
  })

  test('are connected directly soon after: both routers take the other’s packets for answers', async () => {
    const kinds = async (): Promise<readonly unknown[]> =>
      Promise.all([connectionBetween(provider, deployer), connectionBetween(deployer, provider)])
    await eventually('the direct connection', 30, async () =>
      (await kinds()).every((kind) => kind === 'direct') ? true : undefined
    )
    for (const site of [provider, deployer]) await site.kill()
  })

  test('whose deployment nobody can hear of see it fail with the reason', async () => {
    const { code, stdout, stderr } = await lonely
    expect(stderr).toContain('no connection to any other node')
    expect([code, stdout]).toEqual([65, ''])
  })

  test('get there through the relay alone when their routers let nothing else through', async () => {
    await fromNothingToOutput('symmetric')
    expect(await connectionBetween(deployer, provider)).toBe('relayed')
  })

  test('lose nothing when the relay is cut off while a job runs, and control returns', async () => {
    const output = await writeSlowJob(deployer.home, CUT_SECONDS + 25)
    const id = (await deployer.succeed(['deploy', '--detach', 'slow.yaml'])).trim()
    const status = (): Promise<Status> => ask<Status>(deployer, '/dms/node/deployment/status', '-i', id)
    await eventually('the start of the job', 40, async () => ((await status()).status === 'Running' ? true : undefined))
    const repair = await relay.cutOff()
    await new Promise((resolve) => setTimeout(resolve, CUT_SECONDS * 1000))
    expect(await status()).toMatchObject({ status: 'Running', error: '' })
    await repair()
    const began = performance.now()
    const host = (await ask<Self>(provider, '/dms/node/peers/self')).id
    await eventually('an answer through the relay', RETURN_SECONDS, async () =>
      (await deployer.nunet(['actor', 'cmd', '-c', 'user', '/public/hello', '--dest', host, '-t', '10s'])).code === 0
        ? true
        : undefined
    )
    process.stdout.write(`  control is back ${((performance.now() - began) / 1000).toFixed(1)} s after ${CUT_SECONDS} s\n`)
    const ended = await eventually('the end of the job', 90, async () => {
      const now = await status()
      return now.status === 'Running' ? undefined : now
    })
    expect(ended).toMatchObject({ status: 'Completed', error: '' })
    const logs = await ask<{ readonly stdout: string }>(deployer, '/dms/node/deployment/logs', '-i', id, '-a', 'there.slow')
    expect(logs.stdout).toBe(output)
  }, 240_000)
})
