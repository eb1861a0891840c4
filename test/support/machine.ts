import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createSecret } from '../../src/base/index.ts'
import { createKeystore, generateKeyPair, type KeyPair } from '../../src/identity/index.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/nunet', import.meta.url))
const PASSPHRASE = 'the passphrase of the tests'

/** Cheap key derivation: the key files name their own cost, so the program needs no switch for it. */
const CHEAP_KDF = { n: 1024, r: 1, p: 1 }

/** What a command printed and how it ended. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A machine of one owner in a temporary directory, used through the built program as an owner would. */
export interface TestMachine {
  readonly home: string
  readonly user: KeyPair
  readonly dms: KeyPair
  readonly restPort: number
  /** Runs `nunet …`. */
  nunet(
    args: readonly string[],
    options?: { readonly env?: Readonly<Record<string, string>>; readonly input?: string }
  ): Promise<Outcome>
  /** Runs `nunet …` and resolves with its stdout; fails the test when it fails. */
  succeed(...args: readonly string[]): Promise<string>
  /** `nunet actor cmd -c user …`, parsed. */
  command<Reply>(behavior: string, ...flags: readonly string[]): Promise<Reply>
  /** Starts the daemon and waits until it answers. */
  start(env?: Readonly<Record<string, string>>): Promise<void>
  /** Ends the daemon with SIGTERM, or at once with SIGKILL. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** The daemon process, while there is one. */
  readonly daemon: ChildProcess | undefined
}

/** Machines that are removed together. */
export interface TestMachines {
  create(name: string): Promise<TestMachine>
  /** Both owners let each other deploy, as in the quick start (A §10.3). */
  trust(host: TestMachine, guest: TestMachine): Promise<void>
  dispose(): Promise<void>
}

/** Two running machines that trust and know each other; the provider lends a core, half of its memory and 2 GiB of disk. */
export async function createPair(
  machines: TestMachines
): Promise<{ readonly deployer: TestMachine; readonly provider: TestMachine }> {
  const deployer = await machines.create('deployer')
  const provider = await machines.create('provider')
  await Promise.all([machines.trust(provider, deployer), machines.trust(deployer, provider)])
  await Promise.all([deployer.start(), provider.start()])
  const { listen_addr } = await provider.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
  await deployer.command('/dms/node/peers/connect', '--address', listen_addr.split(', ')[0] ?? '')
  const { Resources } = await provider.command<{ readonly Resources: { readonly ram: { readonly size: number } } }>(
    '/dms/node/hardware/spec'
  )
  const ram = (Resources.ram.size / 2 ** 30 / 2).toFixed(1)
  await provider.command('/dms/node/onboarding/onboard', '--cpu', '1', '--ram', ram, '--disk', '2', '--no-gpu')
  return { deployer, provider }
}

/** A TCP port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Resolves once `check` gives something; fails after `seconds`. */
export async function eventually<T>(what: string, seconds: number, check: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + seconds * 1000
  let last = ''
  while (Date.now() < deadline) {
    try {
      const found = await check()
      if (found !== undefined) return found
    } catch (error) {
      last = error instanceof Error ? error.message : String(error)
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`${what} did not happen within ${seconds} s${last === '' ? '' : `: ${last}`}`)
}

/** How the program of the machines is started; by default, the bundle by this Node. */
export interface TestProgram {
  readonly command: string
  readonly args: readonly string[]
}

const BUNDLE: TestProgram = { command: process.execPath, args: [PROGRAM] }

/** Creates a place for machines. */
export async function createMachines(program: TestProgram = BUNDLE): Promise<TestMachines> {
  const directory = await mkdtemp(join(tmpdir(), 'nunet-e2e-'))
  const machines: TestMachine[] = []
  return {
    async create(name) {
      const machine = await createMachine(join(directory, name), program)
      machines.push(machine)
      return machine
    },
    async trust(host, guest) {
      const scope = [
        '--cap',
        '/public',
        '--cap',
        '/broadcast',
        '--cap',
        '/dms/deployment',
        '--topic',
        '/nunet',
        '--duration',
        '24h'
      ]
      const granted = await host.succeed('cap', 'grant', '--context', 'user', ...scope, guest.user.did)
      await host.succeed('cap', 'anchor', '--context', 'dms', '--require', granted)
      const delegated = await guest.succeed('cap', 'grant', '--context', 'user', ...scope, guest.dms.did)
      await guest.succeed('cap', 'anchor', '--context', 'dms', '--provide', delegated)
    },
    async dispose() {
      await Promise.all(machines.map((machine) => machine.stop()))
      await rm(directory, { recursive: true, force: true })
    }
  }
}

async function createMachine(home: string, program: TestProgram): Promise<TestMachine> {
  await mkdir(home, { recursive: true })
  const config = join(home, 'dms_config.json')
  const restPort = await freePort()
  const settings = {
    general: { user_dir: join(home, '.nunet'), work_dir: join(home, 'work'), data_dir: join(home, 'data') },
    rest: { port: restPort },
    p2p: { listen_address: [`/ip4/127.0.0.1/tcp/${await freePort()}`], bootstrap_peers: [] },
    observability: { logging: { file: join(home, 'dms.log') } }
  }
  await writeFile(config, JSON.stringify(settings, null, 2))
  const keystore = createKeystore({ directory: join(home, '.nunet', 'key'), kdf: CHEAP_KDF })
  const [user, dms] = [generateKeyPair(), generateKeyPair()]
  await keystore.save('user', user, createSecret(PASSPHRASE))
  await keystore.save('dms', dms, createSecret(PASSPHRASE))
  let daemon: ChildProcess | undefined
  let daemonErrors = ''

  function launch(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    return spawn(program.command, [...program.args, '--config', config, ...args], {
      cwd: home,
      env: { PATH: process.env['PATH'] ?? '', HOME: home, DMS_PASSPHRASE: PASSPHRASE, ...env },
      stdio: ['pipe', 'pipe', 'pipe']
    })
  }

  const machine: TestMachine = {
    home,
    user,
    dms,
    restPort,
    async nunet(args, { env, input = '' } = {}) {
      const child = launch(args, env)
      const out: Buffer[] = []
      const err: Buffer[] = []
      child.stdout?.on('data', (data: Buffer) => out.push(data))
      child.stderr?.on('data', (data: Buffer) => err.push(data))
      child.stdin?.on('error', () => undefined) // it ended without reading
      child.stdin?.end(input)
      const [code] = (await once(child, 'close')) as [number | null]
      return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }
    },
    async succeed(...args) {
      const { code, stdout, stderr } = await machine.nunet(args)
      if (code !== 0) throw new Error(`nunet ${args.join(' ').slice(0, 120)} ended with ${code}: ${stderr}`)
      return stdout.trim()
    },
    async command<Reply>(behavior: string, ...flags: readonly string[]) {
      return JSON.parse(await machine.succeed('actor', 'cmd', '-c', 'user', behavior, ...flags)) as Reply
    },
    async start(env) {
      const child = launch(['run', '-c', 'dms'], env)
      daemon = child
      daemonErrors = ''
      child.stdout?.resume()
      child.stderr?.on('data', (data: Buffer) => {
        daemonErrors = `${daemonErrors}${data.toString()}`.slice(-4000)
      })
      await eventually('the start of the daemon', 60, async () => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${daemonErrors}`)
        return (await fetch(`http://127.0.0.1:${restPort}/health`)).ok ? true : undefined
      })
    },
    async stop(signal = 'SIGTERM') {
      const child = daemon
      daemon = undefined
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const closed = once(child, 'close')
      child.kill(signal)
      await closed
    },
    get daemon() {
      return daemon
    }
  }
  await machine.succeed('cap', 'new', 'user')
  await machine.succeed('cap', 'new', 'dms')
  await machine.succeed('cap', 'anchor', '--context', 'dms', '--root', user.did)
  return machine
}
