import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type FoundRequirement, requirement } from '../../src/testing/index.ts'
import { freePort } from './machine.ts'

const PROGRAM = 'docker-registry'

/** Who may use the registry; the file of users holds the bcrypt of the password. */
export const REGISTRY_USER = { username: 'tester', password: 'registry password' }
const USERS = 'tester:$2b$05$jPBd/kzoW5IzrHmPAu4feeNvPDVfyxsTDtM0V6oRLNhK49gY93qni\n'

/** A registry of images that runs on loopback and asks for user and password. */
export interface TestRegistry {
  /** `127.0.0.1:<port>`. */
  readonly host: string
  readonly url: string
  readonly headers: { readonly authorization: string }
  stop(): Promise<void>
}

/** Whether the program (package `docker-registry`) is installed. */
export function registryRequirement(): Promise<FoundRequirement> {
  return requirement('registry', async () => {
    await promisify(execFile)(PROGRAM, ['--version'])
    return { available: true }
  })
}

/** Starts the distribution's registry in a directory of its own. */
export async function startRegistry(): Promise<TestRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'nunet-registry-'))
  const port = await freePort()
  const users = join(directory, 'users')
  await writeFile(users, USERS, { mode: 0o600 })
  const config = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(directory, 'data') } },
    http: { addr: `127.0.0.1:${port}` },
    auth: { htpasswd: { realm: 'tests', path: users } }
  }
  await writeFile(join(directory, 'config.yml'), JSON.stringify(config))
  const child = spawn(PROGRAM, ['serve', join(directory, 'config.yml')], { stdio: 'ignore' })
  const host = `127.0.0.1:${port}`
  await answering(host, child)
  const { username, password } = REGISTRY_USER
  return {
    host,
    url: `http://${host}`,
    headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      if (child.exitCode === null && child.kill('SIGKILL')) await ended
      await rm(directory, { recursive: true, force: true })
    }
  }
}

async function answering(host: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (child.exitCode !== null) throw new Error(`${PROGRAM} ended with ${child.exitCode}`)
    if (await answers(host)) return
    await pause(100)
  }
  child.kill('SIGKILL')
  throw new Error(`${PROGRAM} does not answer`)
}

function answers(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request(`http://${host}/v2/`, { agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 401)
    })
    call.once('error', () => resolve(false))
    call.end()
  })
}
