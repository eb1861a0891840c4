import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createSecret, systemClock } from '../../src/base/index.ts'
import { createKeystore, generateKeyPair } from '../../src/identity/index.ts'
import { createContextStore } from '../../src/ucan/index.ts'

const RECORDER = fileURLToPath(new URL('../program/record-cache.cjs', import.meta.url))
const PASSPHRASE = 'only for the build'
const START_LIMIT_MS = 30_000

/**
 * Has V8 write down what it makes of the program: a daemon of nobody runs on loopback for a moment and answers one command, so that
 * what starts often is in the caches compiled.
 *
 * The caches only save time, so a machine where this fails gets a warning and a program without them.
 *
 * @param node      - The Node that will run the program: caches of another version or architecture are of no use.
 * @param program   - The file that starts it.
 * @param directory - For the caches; made anew.
 */
export async function makeCaches(node: string, program: string, directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const home = await mkdtemp(join(tmpdir(), 'nunet-build-'))
  try {
    await record(node, [RECORDER, resolve(directory), resolve(program)], home)
  } catch (error) {
    console.warn(`the program starts more slowly, as no code cache could be made: ${String(error)}`)
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

async function record(node: string, start: readonly string[], home: string): Promise<void> {
  const config = await createHome(home)
  const options = { env: { HOME: home, DMS_PASSPHRASE: PASSPHRASE }, cwd: home }
  const run = (...args: readonly string[]) => promisify(execFile)(node, [...start, ...args, '--config', config], options)
  const daemon = spawn(node, [...start, 'run', '--config', config], { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(daemon, 'exit')
  try {
    await ready(daemon.stderr)
    await run('actor', 'cmd', '-c', 'dms', '/dms/node/peers/self')
  } finally {
    daemon.kill('SIGTERM')
    await ended
  }
}

async function createHome(home: string): Promise<string> {
  const [key, passphrase] = [generateKeyPair(), createSecret(PASSPHRASE)]
  await createKeystore({ directory: join(home, 'key'), kdf: { n: 2, r: 1, p: 1 } }).save('dms', key, passphrase)
  await createContextStore({ directory: join(home, 'cap'), clock: systemClock }).create('dms', key)
  const config = join(home, 'dms_config.json')
  const settings = {
    general: { user_dir: home, work_dir: join(home, 'work'), data_dir: join(home, 'data') },
    rest: { port: await freePort() },
    p2p: { listen_address: ['/ip4/127.0.0.1/tcp/0'], bootstrap_peers: [] },
    observability: { logging: { file: join(home, 'dms.log') } }
  }
  await writeFile(config, JSON.stringify(settings))
  return config
}

function ready(output: NodeJS.ReadableStream): Promise<void> {
  return new Promise((settle, reject) => {
    let said = ''
    const timer = setTimeout(() => reject(new Error(`the daemon did not start: ${said}`)), START_LIMIT_MS)
    output.on('data', (data: Buffer) => {
      said += data.toString()
      if (!said.includes('DMS is ready')) return
      clearTimeout(timer)
      settle()
    })
    output.once('close', () => {
      clearTimeout(timer)
      reject(new Error(`the daemon did not start: ${said}`))
    })
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}
