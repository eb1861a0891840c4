import type { ChildProcess } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createSecret, hours, millis, systemClock, systemRandom, toNanos } from '../../src/base/index.ts'
import { createClient, createSession, type Session } from '../../src/client/index.ts'
import { createKeystore, type Did, generateKeyPair, type KeyPair, type ScryptCost } from '../../src/identity/index.ts'
import { type Anchor, createContext, createContextStore } from '../../src/ucan/index.ts'
import { PROGRAM } from './dms.ts'
import { cleanEnvironment, runToEnd, startUntil, stopProcess } from './processes.ts'
import type { Scratch } from './scratch.ts'

/** A derivation that costs nothing: files say themselves how their key is derived. */
const CHEAP: ScryptCost = { n: 2, r: 1, p: 1 }

/** What is executed, with the arguments before those of `nunet`. */
export type Program = readonly [command: string, ...args: string[]]

const BUNDLE: Program = [process.execPath, PROGRAM]

/** How a command is run. */
export interface CallOptions {
  /** Which key files are used. `unlocked`: the standard ones, with no passphrase at hand. */
  readonly keys?: 'cheap' | 'standard' | 'unlocked'
  /** The program; by default the bundle by this Node. */
  readonly program?: Program
}

/** One daemon with its owner, in a directory of its own. */
export interface Machine {
  readonly user: KeyPair
  readonly node: KeyPair
  /** Runs `nunet …` with the owner's configuration to its end and resolves with its stdout. */
  nunet(args: readonly string[], options?: CallOptions): Promise<string>
  /** Saves an anchor of the daemon; before it starts. */
  anchor(anchor: Anchor): Promise<void>
  /** Starts the daemon; the scratch stops it. */
  start(program?: Program): Promise<ChildProcess>
  /** The owner at the daemon, in this process. */
  readonly session: Session
}

/** Creates the keys, contexts and configuration of a machine; the daemon trusts its owner. */
export async function createMachine(scratch: Scratch, name: string): Promise<Machine> {
  const home = join(scratch.directory, name)
  const passphrase = createSecret('a passphrase for measuring')
  const [user, node] = [generateKeyPair(), generateKeyPair()]
  const port = await freePort()
  const cheap = await writeConfiguration(home, 'cheap', port)
  const standard = await writeConfiguration(home, 'standard', port)

  for (const [{ userDirectory }, cost] of [
    [cheap, { kdf: CHEAP }],
    [standard, {}]
  ] as const) {
    const keys = createKeystore({ directory: join(userDirectory, 'key'), ...cost })
    await keys.save('user', user, passphrase)
    await createContextStore({ directory: join(userDirectory, 'cap'), clock: systemClock }).create('user', user)
  }
  await createKeystore({ directory: join(cheap.userDirectory, 'key'), kdf: CHEAP }).save('dms', node, passphrase)
  const contexts = createContextStore({ directory: join(cheap.userDirectory, 'cap'), clock: systemClock })
  const context = await contexts.create('dms', node)

  const anchor = async (added: Anchor): Promise<void> => {
    const outcome = await context.update((changed) => changed.anchor(added, systemClock.now()))
    if (!outcome.ok) throw new Error(outcome.error.message)
  }
  await anchor({ kind: 'root', did: user.did })
  // Where an agent for unlocked keys puts its socket.
  const places = { HOME: home, XDG_RUNTIME_DIR: scratch.directory }
  const environment = cleanEnvironment({ ...places, DMS_PASSPHRASE: passphrase.reveal() })
  return {
    user,
    node,
    anchor,
    nunet: (args, { keys = 'cheap', program: [command, ...start] = BUNDLE } = {}) => {
      const { path } = keys === 'cheap' ? cheap : standard
      return runToEnd(
        command,
        [...start, ...args, '--config', path],
        keys === 'unlocked' ? cleanEnvironment(places) : environment
      )
    },
    async start([command, ...start] = BUNDLE) {
      const daemon = await startUntil(
        command,
        [...start, 'run', '-c', 'dms', '--config', cheap.path],
        environment,
        'DMS is ready'
      )
      scratch.defer(() => stopProcess(daemon))
      return daemon
    },
    session: createSession({
      client: createClient({ tcp: { host: '127.0.0.1', port } }),
      context: createContext({ signer: user }),
      clock: systemClock,
      random: systemRandom
    })
  }
}

/** The owner of `host` lets the owner of `guest` deploy there; the daemon of `guest` acts for its owner. */
export async function trust(host: Machine, guest: Machine): Promise<void> {
  const expiresAt = toNanos(millis(systemClock.now() + hours(24)))
  const capabilities = ['/public', '/broadcast', '/dms/deployment']
  const grant = (issuer: KeyPair, subject: Did) =>
    createContext({ signer: issuer }).grant({ subject, capabilities, topics: ['/nunet'], expiresAt })
  await host.anchor({ kind: 'require', token: await grant(host.user, guest.user.did) })
  await guest.anchor({ kind: 'provide', token: await grant(guest.user, guest.node.did) })
}

interface Configuration {
  readonly path: string
  readonly userDirectory: string
}

async function writeConfiguration(home: string, name: string, port: number): Promise<Configuration> {
  const userDirectory = join(home, name)
  await mkdir(userDirectory, { recursive: true, mode: 0o700 })
  const path = join(userDirectory, 'dms_config.json')
  const settings = {
    general: { user_dir: userDirectory, work_dir: join(home, 'work'), data_dir: join(home, 'data') },
    rest: { port },
    p2p: { listen_address: ['/ip4/127.0.0.1/tcp/0'], bootstrap_peers: [] },
    observability: { logging: { file: join(home, 'dms.log') } }
  }
  await writeFile(path, JSON.stringify(settings))
  return { path, userDirectory }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (typeof address !== 'object' || address === null) throw new Error('there is no free port')
  return address.port
}
