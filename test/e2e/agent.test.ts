import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createMachines, eventually, type Outcome, type TestMachine, type TestMachines } from '../support/machine.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/nunet', import.meta.url))
const SUBJECT = 'did:key:z6MknaPMu6ju2PNYWQ3wnshnLA8erLb5sauVgTtY7Ni18VyR'

let machines: TestMachines
let machine: TestMachine
let runtime = ''

beforeAll(async () => {
  machines = await createMachines()
  machine = await machines.create('owner')
  runtime = join(machine.home, 'run')
  mkdirSync(runtime, { mode: 0o700 })
})
afterEach(async () => {
  await locked('lock')
})
afterAll(() => machines.dispose())

/** Runs a command with the passphrase in its environment, as scripts do. */
const open = (...args: readonly string[]): Promise<Outcome> => machine.nunet(args, { env: { XDG_RUNTIME_DIR: runtime } })

/** The same without any passphrase. */
const locked = (...args: readonly string[]): Promise<Outcome> =>
  machine.nunet(args, { env: { XDG_RUNTIME_DIR: runtime, DMS_PASSPHRASE: '' } })

const sockets = (): readonly string[] => readdirSync(join(runtime, 'nunet'))

/** The process ids of the agents of this machine. */
function agentProcesses(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const line = commandLineOf(pid)
      return line.includes('agent') && line.includes(join(machine.home, '.nunet'))
    })
    .map(Number)
}

function commandLineOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return [] // it has just ended
  }
}

async function theAgent(): Promise<number> {
  return await eventually('exactly one agent', 5, async () => {
    const [pid, ...others] = agentProcesses()
    return others.length === 0 ? pid : undefined
  })
}

async function expectNoAgent(): Promise<void> {
  await eventually('the end of the agent', 15, async () => (agentProcesses().length === 0 ? true : undefined))
  expect(sockets()).toEqual([])
}

describe.skipIf(!existsSync('/proc/self/cmdline'))('the unlock agent', () => {
  test('lets commands sign without a passphrase until it is locked, and leaves nothing behind', async () => {
    expect((await locked('key', 'did', 'user')).code).toBe(77)
    expect(await open('unlock', 'user', '--for', '10m')).toMatchObject({ code: 0, stdout: `${machine.user.did}\n` })
    expect(await locked('key', 'did', 'user')).toEqual({ code: 0, stdout: `${machine.user.did}\n`, stderr: '' })
    const grant = ['cap', 'grant', '--context', 'user', '--cap', '/public', '--duration', '1h', SUBJECT]
    const { code, stdout } = await locked(...grant)
    expect(code).toBe(0)
    // the token is good: a context takes it as an anchor, which verifies its signature
    expect((await locked('cap', 'anchor', '--context', 'user', '--require', stdout.trim())).code).toBe(0)
    expect((await locked('lock')).stderr).toBe('locked: user\n')
    expect((await locked(...grant)).code).toBe(77)
    await expectNoAgent()
  })

  test('speaks for a user to the daemon', async () => {
    await machine.start()
    try {
      await open('unlock', 'user')
      const { code, stdout } = await locked('actor', 'cmd', '/dms/node/peers/self')
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toHaveProperty('id', machine.dms.peerId)
    } finally {
      await machine.stop()
    }
  })

  test('ends by itself when the time is over', async () => {
    await open('unlock', 'user', '--for', '1s')
    await expectNoAgent()
    expect((await locked('key', 'did', 'user')).code).toBe(77)
  })

  test('ends at SIGTERM, and survives the end of its terminal', async () => {
    await open('unlock', 'user')
    const pid = await theAgent()
    process.kill(pid, 'SIGHUP')
    expect((await locked('key', 'did', 'user')).code).toBe(0)
    process.kill(pid, 'SIGTERM')
    await expectNoAgent()
  })

  test('opens no debugger at SIGUSR1', async () => {
    await open('unlock', 'user')
    const pid = await theAgent()
    process.kill(pid, 'SIGUSR1')
    expect((await locked('key', 'did', 'user')).code).toBe(0)
    expect(listeningPorts(pid)).toEqual([])
    expect(await accepts(9229)).toBe(false)
  })

  test('that was killed is replaced, and nobody waits for it', async () => {
    await open('unlock', 'user')
    process.kill(await theAgent(), 'SIGKILL')
    await eventually('its end', 5, async () => (agentProcesses().length === 0 ? true : undefined))
    expect(sockets()).toHaveLength(1)
    expect((await locked('key', 'did', 'user')).code).toBe(77)
    expect((await open('unlock', 'user')).code).toBe(0)
    expect((await locked('key', 'did', 'user')).code).toBe(0)
    expect(sockets()).toHaveLength(1)
  })

  test('is one, also when two commands unlock at once', async () => {
    const outcomes = await Promise.all([open('unlock', 'user'), open('unlock', 'dms')])
    expect(outcomes.map(({ stderr }) => stderr.replace(/ is unlocked .*\n$/, ''))).toEqual(['user', 'dms'])
    await theAgent()
    expect((await locked('unlock', '--list')).stdout.trim().split('\n')).toHaveLength(2)
  })

  test('shows no secret in its arguments, environment and open files, and no variable that changes Node', async () => {
    const env = { XDG_RUNTIME_DIR: runtime, NODE_OPTIONS: '--inspect=0', DMS_NEW_PASSPHRASE: 'another' }
    await machine.nunet(['unlock', 'user'], { env })
    const pid = await theAgent()
    const secret = Buffer.from(machine.user.exportPrivate())
    const shown = Buffer.concat([readFileSync(`/proc/${pid}/cmdline`), readFileSync(`/proc/${pid}/environ`)])
    expect(shown.includes('passphrase')).toBe(false)
    for (const encoding of ['hex', 'base64'] as const) expect(shown.includes(secret.toString(encoding).slice(8, 40))).toBe(false)
    expect(shown.includes('NODE_OPTIONS')).toBe(false)
    expect(shown.includes('DMS_')).toBe(false)
    expect(listeningPorts(pid)).toEqual([])
    const files = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`))
    expect(files.filter((path) => path.startsWith(machine.home))).toEqual([])
  })

  test('does not keep a pipe open that waits for the end of the command', async () => {
    const child = nunetWithPipe(['unlock', 'user'], { DMS_PASSPHRASE: '', DMS_PASSPHRASE_FD: '3' })
    const descriptor = child.stdio[3]
    if (descriptor === null || descriptor === undefined || !('end' in descriptor)) throw new Error('there is no descriptor 3')
    descriptor.end('the passphrase of the tests\n')
    // 'close' comes when nobody has its pipes any more
    const [code] = (await once(child, 'close')) as [number | null]
    expect(code).toBe(0)
    expect((await locked('key', 'did', 'user')).code).toBe(0)
  })
})

/** `nunet …` with a pipe at descriptor 3. */
function nunetWithPipe(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(process.execPath, [PROGRAM, '--config', join(machine.home, 'dms_config.json'), ...args], {
    cwd: machine.home,
    env: { PATH: process.env['PATH'] ?? '', HOME: machine.home, XDG_RUNTIME_DIR: runtime, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe']
  })
  child.stdout?.resume()
  child.stderr?.resume()
  return child
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return '' // closed meanwhile
  }
}

/** The TCP ports at which a process listens. */
function listeningPorts(pid: number): readonly string[] {
  const own = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1]))
  return ['tcp', 'tcp6']
    .flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === '0A' && own.has(inode))
    .map(([, local = '']) => local)
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
