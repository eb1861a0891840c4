/**
 * The main job, as an owner and a user would do it: two nodes with their own identities meet, one lends a part of its machine,
 * the other runs a job there, and its output comes back. Everything goes through the command line.
 *
 * `DEMO_EXECUTOR=docker|wasm` forces an executor; without it Docker is used where it works.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeImage, removeImage, whyNoDocker } from './demo-image.ts'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const PROGRAM = join(ROOT, 'bin', 'nunet')
const PASSPHRASE = randomBytes(16).toString('hex')
const STARTED_AT = Date.now()

interface Machine {
  readonly name: string
  readonly home: string
  readonly config: string
  readonly userDid: string
  readonly dmsDid: string
  daemon?: ChildProcess
}

const daemons: ChildProcess[] = []

function say(text: string): void {
  console.log(`${((Date.now() - STARTED_AT) / 1000).toFixed(1).padStart(5)} s  ${text}`)
}

/** Runs `nunet …` for a machine and resolves with its stdout; rejects with its stderr. */
function nunet(machine: Pick<Machine, 'home' | 'config'>, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, '--config', machine.config, ...args], {
      cwd: machine.home,
      env: environment(machine),
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let [out, err] = ['', '']
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString()
    })
    child.stderr.on('data', (data: Buffer) => {
      err += data.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(out.trim())
      else reject(new Error(`nunet ${args.slice(0, 4).join(' ')} … ended with ${code}: ${err.trim()}`))
    })
  })
}

function environment({ home }: Pick<Machine, 'home'>): NodeJS.ProcessEnv {
  const { PATH, DOCKER_HOST } = process.env
  return { PATH, HOME: home, DMS_PASSPHRASE: PASSPHRASE, ...(DOCKER_HOST === undefined ? {} : { DOCKER_HOST }) }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** A machine: a directory, a configuration, an owner's key and the machine's key. */
async function setUp(directory: string, name: string): Promise<Machine> {
  const home = join(directory, name)
  await mkdir(home, { recursive: true })
  const config = join(home, 'dms_config.json')
  const settings = {
    general: { user_dir: join(home, '.nunet'), work_dir: join(home, 'work'), data_dir: join(home, 'data') },
    rest: { port: await freePort() },
    p2p: { listen_address: [`/ip4/127.0.0.1/tcp/${await freePort()}`], bootstrap_peers: [] },
    observability: { logging: { file: join(home, 'dms.log') } }
  }
  await writeFile(config, `${JSON.stringify(settings, null, 2)}\n`)
  const at = { home, config }
  const [userDid, dmsDid] = await Promise.all([nunet(at, 'key', 'new', 'user'), nunet(at, 'key', 'new', 'dms')])
  await Promise.all([nunet(at, 'cap', 'new', 'user'), nunet(at, 'cap', 'new', 'dms')])
  await nunet(at, 'cap', 'anchor', '--context', 'dms', '--root', userDid)
  return { name, home, config, userDid, dmsDid }
}

const SCOPE = ['--cap', '/public', '--cap', '/broadcast', '--cap', '/dms/deployment', '--topic', '/nunet', '--duration', '24h']

/** The host's owner lets the guest's owner use the host; the guest's owner lets the guest's machine act for it. */
async function trust(host: Machine, guest: Machine): Promise<void> {
  const granted = await nunet(host, 'cap', 'grant', '--context', 'user', ...SCOPE, guest.userDid)
  await nunet(host, 'cap', 'anchor', '--context', 'dms', '--require', granted)
  const delegated = await nunet(guest, 'cap', 'grant', '--context', 'user', ...SCOPE, guest.dmsDid)
  await nunet(guest, 'cap', 'anchor', '--context', 'dms', '--provide', delegated)
}

async function startDaemon(machine: Machine): Promise<void> {
  const child = spawn(process.execPath, [PROGRAM, '--config', machine.config, 'run', '-c', 'dms'], {
    cwd: machine.home,
    env: environment(machine),
    stdio: 'ignore'
  })
  machine.daemon = child
  daemons.push(child)
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`the daemon of ${machine.name} ended: ${await lastLog(machine)}`)
    const isUp = await command<{ readonly id: string }>(machine, '/dms/node/peers/self').then(
      () => true,
      () => false
    )
    if (isUp) return
    await pause(200)
  }
  throw new Error(`the daemon of ${machine.name} does not answer: ${await lastLog(machine)}`)
}

async function lastLog(machine: Machine): Promise<string> {
  const log = await readFile(join(machine.home, 'dms.log'), 'utf8').catch(() => 'no log was written')
  return log.trim().split('\n').slice(-3).join('\n')
}

async function command<Reply>(machine: Machine, behavior: string, ...flags: string[]): Promise<Reply> {
  return JSON.parse(await nunet(machine, 'actor', 'cmd', '-c', 'user', behavior, ...flags)) as Reply
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

interface Status {
  readonly status: string
  readonly error: string
  readonly events?: readonly { readonly text: string }[]
  readonly allocation_info?: Readonly<Record<string, { readonly peer?: string; readonly exit_code?: number }>>
}

/** Follows a deployment to its end, telling each new line of its journal. */
async function follow(machine: Machine, id: string): Promise<Status> {
  let told = 0
  for (;;) {
    const status = await command<Status>(machine, '/dms/node/deployment/status', '-i', id)
    const events = status.events ?? []
    for (const { text } of events.slice(told)) say(`   ${shorten(text)}`)
    told = events.length
    if (status.status === 'Completed' || status.status === 'Failed') return status
    await pause(300)
  }
}

function shorten(text: string): string {
  return text.replace(/12D3KooW\w{38}(\w{6})/g, '…$1')
}

async function chooseExecutor(): Promise<'docker' | 'wasm'> {
  const wanted = process.env['DEMO_EXECUTOR']
  if (wanted !== undefined && wanted !== 'docker' && wanted !== 'wasm') {
    throw new Error(`DEMO_EXECUTOR must be docker or wasm, is ${JSON.stringify(wanted)}`)
  }
  if (wanted === 'wasm') return 'wasm'
  const problem = await whyNoDocker()
  if (problem === undefined) return 'docker'
  if (wanted === 'docker') throw new Error(`DEMO_EXECUTOR=docker, but ${problem}`)
  say(`Docker is not used: ${problem}. The job runs as WebAssembly.`)
  return 'wasm'
}

async function demonstrate(directory: string): Promise<void> {
  const executor = await chooseExecutor()
  const madeImage = executor === 'docker' && (await makeImage())
  try {
    say('two owners make keys for themselves and for their machines')
    const [alice, bob] = await Promise.all([setUp(directory, 'alice'), setUp(directory, 'bob')])
    say(`   alice's machine ${alice.dmsDid}`)
    say(`   bob's machine   ${bob.dmsDid}`)
    say('each owner grants the other what a deployment needs, and nothing else')
    await Promise.all([trust(bob, alice), trust(alice, bob)])
    say('both daemons start')
    await Promise.all([startDaemon(alice), startDaemon(bob)])
    const peer = await command<{ readonly id: string; readonly listen_addr: string }>(bob, '/dms/node/peers/self')
    const [address = ''] = peer.listen_addr.split(', ')
    say(`alice's machine connects to ${address.slice(0, 30)}… and says hello`)
    await command(alice, '/dms/node/peers/connect', '--address', address)
    await nunet(alice, 'actor', 'cmd', '-c', 'user', '/public/hello')
    await lend(bob)
    const file = join(ROOT, 'examples', executor === 'docker' ? 'hello-docker.yaml' : 'hello.yaml')
    say(`alice deploys examples/${executor === 'docker' ? 'hello-docker.yaml' : 'hello.yaml'}`)
    const deployedAt = Date.now()
    const { EnsembleID: id } = await command<{ readonly EnsembleID: string }>(
      alice,
      '/dms/node/deployment/new',
      '-t',
      '90s',
      '-f',
      file
    )
    const status = await follow(alice, id)
    if (status.status !== 'Completed') throw new Error(`the deployment failed: ${status.error}`)
    await report(alice, id, status, Date.now() - deployedAt)
  } finally {
    await stopDaemons()
    if (madeImage) await removeImage()
  }
}

/** Bob lends a core, 10–90 % of the RAM and a little disk. */
async function lend(bob: Machine): Promise<void> {
  interface Spec {
    readonly Resources: { readonly ram: { readonly size: number }; readonly disk: { readonly size: number } }
  }
  const { Resources } = await command<Spec>(bob, '/dms/node/hardware/spec')
  const ram = (Resources.ram.size / 2 ** 30 / 2).toFixed(1)
  say(`bob lends 1 core, ${ram} GiB of RAM and 2 GiB of disk`)
  await command(bob, '/dms/node/onboarding/onboard', '--cpu', '1', '--ram', ram, '--disk', '2', '--no-gpu')
}

async function report(alice: Machine, id: string, status: Status, elapsed: number): Promise<void> {
  for (const [allocation, { peer = '', exit_code: code = 0 }] of Object.entries(status.allocation_info ?? {})) {
    const logs = await command<{ readonly stdout: string }>(alice, '/dms/node/deployment/logs', '-i', id, '-a', allocation)
    say(`the output of ${allocation}:`)
    console.log(`\n${logs.stdout.trimEnd()}\n`)
    say(
      `${allocation} ran on bob's machine (${shorten(peer)}), ended with code ${code}; ${(elapsed / 1000).toFixed(1)} s from deploy to output`
    )
  }
}

async function stopDaemons(): Promise<void> {
  await Promise.all(
    daemons.map(
      (daemon) =>
        new Promise<void>((resolve) => {
          if (daemon.exitCode !== null || daemon.signalCode !== null) {
            resolve()
            return
          }
          const timer = setTimeout(() => daemon.kill('SIGKILL'), 10_000)
          daemon.once('close', () => {
            clearTimeout(timer)
            resolve()
          })
          daemon.kill('SIGTERM')
        })
    )
  )
}

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'nunet-demo-'))
  const interrupt = (): void => {
    void stopDaemons().then(async () => {
      await rm(directory, { recursive: true, force: true })
      process.exit(130)
    })
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    await demonstrate(directory)
    say('both daemons have stopped, nothing is left behind')
  } catch (error) {
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

await main()
