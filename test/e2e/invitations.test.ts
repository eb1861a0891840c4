import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort, type Outcome } from '../support/machine.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PROGRAM = join(ROOT, 'bin', 'nunet')

/** Somebody with the installed program, an empty home directory, and nothing else. */
interface Stranger {
  readonly home: string
  readonly restPort: number
  /** Two of them share this machine: so each gets ports of its own, and neither asks the usual bootstrap nodes. */
  readonly settings: readonly string[]
  nunet(args: readonly string[], input?: string): Promise<Outcome>
  succeed(args: readonly string[], input?: string): Promise<string>
}

async function createStranger(home: string): Promise<Stranger> {
  await mkdir(home)
  const restPort = await freePort()
  const settings = [
    `rest.port=${restPort}`,
    `p2p.listen_address=/ip4/127.0.0.1/tcp/${await freePort()}`,
    'p2p.bootstrap_peers=[]'
  ].flatMap((setting) => ['--set', setting])

  async function nunet(args: readonly string[], input = ''): Promise<Outcome> {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      cwd: home,
      env: { PATH: process.env['PATH'] ?? '', HOME: home, DMS_PASSPHRASE: 'the passphrase of a stranger' },
      stdio: ['pipe', 'pipe', 'pipe']
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (data: Buffer) => out.push(data))
    child.stderr.on('data', (data: Buffer) => err.push(data))
    child.stdin.end(input)
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }
  }

  return {
    home,
    restPort,
    settings,
    nunet,
    async succeed(args, input) {
      const { code, stdout, stderr } = await nunet(args, input)
      if (code !== 0) throw new Error(`nunet ${args.join(' ').slice(0, 120)} ended with ${code}: ${stderr}`)
      return stdout.trim()
    }
  }
}

describe('two strangers with nothing but the installed program', () => {
  let directory = ''
  let provider: Stranger
  let deployer: Stranger
  let invitation = ''

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nunet-invite-'))
    provider = await createStranger(join(directory, 'provider'))
    deployer = await createStranger(join(directory, 'deployer'))
    for (const name of ['hello.yaml', 'hello.wasm']) {
      await copyFile(join(ROOT, 'examples', name), join(deployer.home, name))
    }
  })

  afterAll(async () => {
    for (const stranger of [provider, deployer]) await stranger.nunet(['down'])
    await rm(directory, { recursive: true, force: true })
  })

  const dmsOf = async (stranger: Stranger): Promise<string> => await stranger.succeed(['key', 'did', 'dms'])

  test('cannot do anything with an invitation that was cut, and nothing is made of it', async () => {
    await provider.succeed(['up', ...provider.settings, '--lend'])
    invitation = await provider.succeed(['invite', '--note', 'the deployer'])
    const cut = await deployer.nunet(['join', '--yes', ...deployer.settings, '-'], invitation.slice(0, -20))
    expect(cut).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'Error: the invitation is not complete, or was changed: copy it again, from its beginning to its end\n'
    })
    const unasked = await deployer.nunet(['join', ...deployer.settings, '-'], invitation)
    expect(unasked.code).toBe(65)
    expect(unasked.stderr).toContain('use --yes')
    expect(await deployer.nunet(['key', 'list'])).toMatchObject({ code: 0, stdout: '' })
  })

  test('get from nothing to the output of a job in two commands each, within 60 s', async () => {
    await provider.succeed(['down'])
    await rm(provider.home, { recursive: true })
    await mkdir(provider.home)
    const marks = [performance.now()]
    await provider.succeed(['up', ...provider.settings, '--lend'])
    marks.push(performance.now())
    invitation = await provider.succeed(['invite'])
    marks.push(performance.now())
    await deployer.succeed(['join', '--yes', ...deployer.settings, '-'], invitation)
    marks.push(performance.now())
    const { code, stdout, stderr } = await deployer.nunet(['deploy', 'hello.yaml'])
    marks.push(performance.now())
    const elapsed = ((marks.at(-1) ?? 0) - (marks[0] ?? 0)) / 1000
    const parts = marks.slice(1).map((mark, index) => ((mark - (marks[index] ?? 0)) / 1000).toFixed(1))
    process.stdout.write(
      `  from nothing to the output: ${elapsed.toFixed(1)} s (up, invite, join, deploy: ${parts.join(', ')} s)\n`
    )
    expect(stderr).toContain('anywhere.hello completed')
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'hello from an ensemble\nargument: world\n' })
    expect(elapsed).toBeLessThan(60)
  })

  test('find each other again after both have restarted', async () => {
    for (const stranger of [provider, deployer]) await stranger.succeed(['down'])
    for (const stranger of [provider, deployer]) await stranger.succeed(['up'])
    const { stdout } = await deployer.nunet(['deploy', 'hello.yaml'])
    expect(stdout).toBe('hello from an ensemble\nargument: world\n')
  })

  test('give the inviting machine no right but to send bids', async () => {
    const [host, guest] = [await dmsOf(provider), await dmsOf(deployer)]
    const call = await provider.nunet(['actor', 'cmd', '-c', 'dms', '/public/hello', '--dest', guest, '-t', '3s'])
    expect(call).toMatchObject({ code: 77, stdout: '' })
    for (const behavior of ['/public/hello', '/dms/node/peers/self', '/dms/deployment/request']) {
      const explained = await deployer.nunet(['cap', 'explain', '-c', 'dms', '--from', host, behavior])
      expect(explained.stdout).not.toMatch(/^allowed/)
      expect(explained.stdout).toContain('trusted here, but for less than it claims')
    }
    const bid = await deployer.nunet(['cap', 'explain', '-c', 'dms', '--from', host, '/dms/deployment/bid'])
    expect(bid.stdout).toMatch(/^allowed/)
  })

  test('keep the key of an invitation nowhere but in its text', async () => {
    const secret = (
      JSON.parse(
        Buffer.from(invitation.slice('nunet-invite-1-'.length), 'base64url')
          .toString()
          .replace(/\}[^}]*$/, '}')
      ) as { readonly key: string }
    ).key
    const listed = await provider.succeed(['invite', '--list', '--json'])
    const record = await readFile(join(provider.home, '.nunet/cap/user.invitations.jsonl'), 'utf8')
    const log = await readFile(join(provider.home, 'nunet/logs/nunet-dms-logs.jsonl'), 'utf8')
    for (const text of [listed, record, log]) expect(text).not.toContain(secret)
  })

  test('have daemons that were not given a passphrase where others could read it', async () => {
    const { pid } = JSON.parse(await readFile(join(provider.home, 'nunet/data/daemon.lock'), 'utf8')) as { readonly pid: number }
    for (const file of ['environ', 'cmdline']) {
      const text = await readFile(`/proc/${pid}/${file}`, 'utf8')
      expect(text.length).toBeGreaterThan(0)
      expect(text).not.toContain('passphrase of a stranger')
    }
  })

  test('cannot use a revoked invitation, nor anything that was made of it', async () => {
    const host = await dmsOf(provider)
    const hello = ['actor', 'cmd', '/public/hello', '--dest', host, '-t', '4s']
    expect((await deployer.nunet(hello)).code).toBe(0)
    const [{ id }] = JSON.parse(await provider.succeed(['invite', '--list', '--json'])) as [{ readonly id: string }]
    expect((await provider.nunet(['invite', '--revoke', 'ffffffff0'])).code).toBe(66)
    await provider.succeed(['invite', '--revoke', id])
    for (const context of ['user', 'dms']) {
      expect((await deployer.nunet([...hello, '-c', context])).code).toBe(75)
    }
    expect(JSON.parse(await provider.succeed(['invite', '--list', '--json']))).toEqual([])
  })
})
