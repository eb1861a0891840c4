import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type FoundRequirement, requirement } from '../../src/testing/requirements.ts'
import type { Outcome } from './machine.ts'

const run = promisify(execFile)
const PROGRAM = fileURLToPath(new URL('../../bin/nunet', import.meta.url))

/** How a site is connected to the internet of a {@link NetWorld}. */
export type Uplink =
  /** With a public address of its own. */
  | 'public'
  /** Behind a router that gives a port the same outside port towards everybody, and lets only answers in. */
  | 'cone'
  /** Behind a router that takes a random outside port for every connection: hole punching cannot work. */
  | 'symmetric'

/** A machine in a network namespace of its own, with an empty home directory, and commands typed there. */
export interface Site {
  readonly home: string
  /** Its public address, or that of its router. */
  readonly publicIp: string
  /** Runs `nunet …`; fails the test after `seconds`. */
  nunet(args: readonly string[], options?: { readonly input?: string; readonly seconds?: number }): Promise<Outcome>
  /** Its stdout, trimmed; fails the test when the exit code is not 0. */
  succeed(args: readonly string[], input?: string): Promise<string>
  /** Runs a program in the namespace; fails the test when it fails. */
  shell(program: string, ...args: readonly string[]): Promise<string>
  /** Drops everything between this machine and `other`, or everybody but itself. Returns the repair. */
  cutOff(other?: Site): Promise<() => Promise<void>>
  /** Gives a public machine another address. */
  move(): Promise<void>
  /** Ends all programs in the namespace at once. */
  kill(): Promise<void>
}

/** An internet in network namespaces: a bridge, and machines around it. */
export interface NetWorld {
  site(name: string, uplink: Uplink): Promise<Site>
  /** Ends every program in it and takes everything away. */
  dispose(): Promise<void>
}

/** Whether network namespaces and packet filters can be made here. */
export async function findNetworkNamespaces(): Promise<FoundRequirement> {
  return requirement('netns', async () => {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return { available: false, reason: 'needs root on Linux' }
    const name = uniqueName()
    try {
      await run('ip', ['netns', 'add', name])
      await run('ip', ['-n', name, 'link', 'add', 'br0', 'type', 'bridge'])
      await run('ip', ['netns', 'exec', name, 'iptables', '-t', 'nat', '-L', '-n'])
      return { available: true }
    } finally {
      await run('ip', ['netns', 'del', name]).catch(() => undefined) // it was not made
    }
  })
}

let worlds = 0

/** Two runs at the same time do not meet. */
function uniqueName(): string {
  worlds += 1
  return `nunet-${process.pid.toString(36)}-${worlds}`
}

/** Creates an internet without machines. Everything is in namespaces whose names no other run has. */
export async function createNetWorld(): Promise<NetWorld> {
  const prefix = uniqueName()
  const directory = await mkdtemp(join(tmpdir(), 'nunet-net-'))
  const namespaces: string[] = []

  async function namespace(name: string): Promise<string> {
    const full = `${prefix}-${name}`
    await run('ip', ['netns', 'add', full])
    namespaces.push(full)
    await run('ip', ['-n', full, 'link', 'set', 'lo', 'up'])
    return full
  }

  /** Plugs a cable into a namespace: its end is called `eth`, the other one is `port` of `to`. */
  async function cable(from: string, eth: string, to: string, port: string): Promise<void> {
    await run('ip', ['link', 'add', eth, 'netns', from, 'type', 'veth', 'peer', 'name', port, 'netns', to])
    await run('ip', ['-n', from, 'link', 'set', eth, 'up'])
    await run('ip', ['-n', to, 'link', 'set', port, 'up'])
  }

  const internet = await namespace('internet')
  await run('ip', ['-n', internet, 'link', 'add', 'br0', 'type', 'bridge'])
  await run('ip', ['-n', internet, 'link', 'set', 'br0', 'up'])
  let ports = 0

  /** Connects a namespace to the internet and returns its address there. */
  async function connect(name: string): Promise<string> {
    ports += 1
    await cable(name, 'wan', internet, `port${ports}`)
    await run('ip', ['-n', internet, 'link', 'set', `port${ports}`, 'master', 'br0'])
    const ip = `45.10.0.${10 + ports}`
    await run('ip', ['-n', name, 'addr', 'add', `${ip}/24`, 'dev', 'wan'])
    return ip
  }

  /** A router that hides one machine, as at home. */
  async function router(site: string, machine: string, kind: 'cone' | 'symmetric'): Promise<string> {
    const name = await namespace(`${site}-router`)
    const ip = await connect(name)
    const lan = `192.168.${ports}`
    await cable(machine, 'eth0', name, 'lan')
    await run('ip', ['-n', name, 'addr', 'add', `${lan}.1/24`, 'dev', 'lan'])
    await run('ip', ['-n', machine, 'addr', 'add', `${lan}.10/24`, 'dev', 'eth0'])
    await run('ip', ['-n', machine, 'route', 'add', 'default', 'via', `${lan}.1`])
    const inside = (...args: readonly string[]): Promise<unknown> => run('ip', ['netns', 'exec', name, ...args])
    await inside('sysctl', '-qw', 'net.ipv4.ip_forward=1')
    const random = kind === 'symmetric' ? ['--random-fully'] : []
    await inside('iptables', '-t', 'nat', '-A', 'POSTROUTING', '-o', 'wan', '-j', 'MASQUERADE', ...random)
    for (const chain of ['INPUT', 'FORWARD']) {
      await inside('iptables', '-A', chain, '-i', 'wan', '-m', 'conntrack', '--ctstate', 'NEW,INVALID', '-j', 'DROP')
    }
    return ip
  }

  async function endPrograms(name: string): Promise<void> {
    const { stdout } = await run('ip', ['netns', 'pids', name])
    for (const pid of stdout.split('\n').filter((line) => line !== '')) {
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // it ended by itself
      }
    }
  }

  return {
    async site(name, uplink) {
      const home = join(directory, name)
      await mkdir(home)
      const machine = await namespace(name)
      let publicIp = uplink === 'public' ? await connect(machine) : await router(name, machine, uplink)
      const shell = async (...command: readonly string[]): Promise<string> =>
        (await run('ip', ['netns', 'exec', machine, ...command])).stdout

      async function nunet(
        args: readonly string[],
        { input = '', seconds = 120 }: { readonly input?: string; readonly seconds?: number } = {}
      ): Promise<Outcome> {
        const child = spawn('ip', ['netns', 'exec', machine, process.execPath, PROGRAM, ...args], {
          cwd: home,
          env: { PATH: process.env['PATH'] ?? '', HOME: home, DMS_PASSPHRASE: 'the passphrase of the tests' },
          stdio: ['pipe', 'pipe', 'pipe'],
          timeout: seconds * 1000,
          killSignal: 'SIGKILL'
        })
        const out: Buffer[] = []
        const err: Buffer[] = []
        child.stdout.on('data', (data: Buffer) => out.push(data))
        child.stderr.on('data', (data: Buffer) => err.push(data))
        child.stdin.end(input)
        const [code] = (await once(child, 'close')) as [number | null]
        return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }
      }

      const site: Site = {
        home,
        get publicIp() {
          return publicIp
        },
        nunet,
        shell: (...command) => shell(...command),
        async succeed(args, input = '') {
          const { code, stdout, stderr } = await nunet(args, { input })
          if (code !== 0) throw new Error(`nunet ${args.join(' ').slice(0, 120)} ended with ${code}: ${stderr}`)
          return stdout.trim()
        },
        async cutOff(other) {
          const rules = [
            ['INPUT', '!', '-i', 'lo', ...(other === undefined ? [] : ['-s', other.publicIp]), '-j', 'DROP'],
            ['OUTPUT', '!', '-o', 'lo', ...(other === undefined ? [] : ['-d', other.publicIp]), '-j', 'DROP']
          ]
          for (const rule of rules) await shell('iptables', '-A', ...rule)
          return async () => {
            for (const rule of rules) await shell('iptables', '-D', ...rule)
          }
        },
        async move() {
          ports += 1
          const next = `45.10.0.${10 + ports}`
          await shell('ip', 'addr', 'del', `${publicIp}/24`, 'dev', 'wan')
          await shell('ip', 'addr', 'add', `${next}/24`, 'dev', 'wan')
          publicIp = next
        },
        kill: () => endPrograms(machine)
      }
      return site
    },
    async dispose() {
      for (const name of namespaces) await endPrograms(name)
      for (const name of namespaces) await run('ip', ['netns', 'del', name])
      await rm(directory, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}
