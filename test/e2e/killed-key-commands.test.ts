import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSecret } from '../../src/base/index.ts'
import { createKeystore, generateKeyPair, type Keystore } from '../../src/identity/index.ts'

const CHEAP = { n: 2, r: 1, p: 1 }
const OLD = generateKeyPair()
const NEW = generateKeyPair()
const NEW_HEX = Buffer.from(NEW.exportPrivate()).toString('hex')
const FACE = new URL('../../dist/identity/index.js', import.meta.url).href

/** More steps than any of these commands makes at the file system. */
const MOST_STEPS = 60

/** Kills its own process just before the n-th step that changes the file system. */
const KILL_AT_STEP = `
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
let left = Number(process.env.KILL_AT_STEP)
function watch(object, names) {
  for (const name of names) {
    const real = object[name]
    object[name] = function (...args) {
      left -= 1
      if (left === 0) process.kill(process.pid, 'SIGKILL')
      return real.apply(this, args)
    }
  }
}
const handle = await fs.promises.open('/dev/null')
watch(Object.getPrototypeOf(handle), ['writeFile', 'sync', 'chmod', 'close'])
await handle.close()
watch(fs.promises, ['open', 'rename', 'link', 'unlink', 'mkdir'])
watch(fs, ['linkSync', 'unlinkSync', 'rmSync', 'writeFileSync', 'mkdirSync'])
syncBuiltinESMExports()
`

const PRELUDE = `
const { createKeystore, parsePrivateKey } = await import(${JSON.stringify(FACE)})
const secret = (text) => ({ reveal: () => text })
const keystore = createKeystore({ directory: process.env.KEY_DIRECTORY, kdf: ${JSON.stringify(CHEAP)} })
`

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'killed-'))
  await storeOf(join(root, 'before')).save('user', OLD, createSecret('old'))
})
afterAll(() => rm(root, { recursive: true }))

function storeOf(directory: string): Keystore {
  return createKeystore({ directory, kdf: CHEAP })
}

/** Runs the program in a copy of the key directory; returns whether it was killed. */
async function runKilledAt(step: number, program: string, directory: string): Promise<boolean> {
  const preload = `data:text/javascript,${encodeURIComponent(KILL_AT_STEP)}`
  const child = spawn(process.execPath, ['--import', preload, '--input-type=module', '-e', PRELUDE + program], {
    env: { PATH: process.env['PATH'] ?? '', KILL_AT_STEP: String(step), KEY_DIRECTORY: directory },
    stdio: ['ignore', 'ignore', 'inherit']
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (signal !== 'SIGKILL') expect(code).toBe(0)
  return signal === 'SIGKILL'
}

/** Kills the program before each of its steps in turn, and looks at what is left each time. */
async function forEveryStep(program: string, check: (directory: string, wasKilled: boolean) => Promise<void>): Promise<void> {
  for (let step = 1; step <= MOST_STEPS; step += 1) {
    const directory = join(root, `${step}`)
    await cp(join(root, 'before'), directory, { recursive: true })
    const wasKilled = await runKilledAt(step, program, directory)
    await check(directory, wasKilled)
    await rm(directory, { recursive: true })
    if (wasKilled) continue
    expect(step).toBeGreaterThan(5)
    return
  }
  throw new Error(`the command makes more than ${MOST_STEPS} steps`)
}

/** The DID that the key file opens to with one of the passphrases. */
async function didWith(directory: string, ...passphrases: readonly string[]): Promise<string | undefined> {
  for (const passphrase of passphrases) {
    const key = await storeOf(directory)
      .open('user', createSecret(passphrase))
      .catch(() => undefined)
    if (key !== undefined) return key.did
  }
  return undefined
}

describe('a command that is killed between any two steps at the file system leaves a whole key:', () => {
  test('a change of the passphrase', async () => {
    const program = "await keystore.changePassphrase(await keystore.read('user'), secret('old'), async () => secret('new'))"
    await forEveryStep(program, async (directory, wasKilled) => {
      expect(await didWith(directory, ...(wasKilled ? ['old', 'new'] : ['new']))).toBe(OLD.did)
      // and what was left does not stand in the way
      const old = (await didWith(directory, 'old')) === undefined ? 'new' : 'old'
      const store = storeOf(directory)
      await store.changePassphrase(await store.read('user'), createSecret(old), async () => createSecret('last'))
      expect(await didWith(directory, 'last')).toBe(OLD.did)
    })
  })

  test('an import over another key', async () => {
    const program = `
      const key = parsePrivateKey(${JSON.stringify(NEW_HEX)})
      await keystore.save('user', key.value, secret('new'), { overwrite: true })`
    await forEveryStep(program, async (directory, wasKilled) => {
      const did = await didWith(directory, 'old', 'new')
      if (!wasKilled) expect(did).toBe(NEW.did)
      expect([OLD.did, NEW.did]).toContain(did)
      // once the new one is there, the old one is kept beside it
      if (did === NEW.did) expect(await storeOf(directory).backups('user')).toHaveLength(1)
    })
  })

  test('a deletion that keeps a copy', async () => {
    const program = "await keystore.delete(await keystore.read('user'), secret('old'), { keepBackup: true })"
    await forEveryStep(program, async (directory, wasKilled) => {
      const copies = await storeOf(directory).backups('user')
      const isThere = (await didWith(directory, 'old')) === OLD.did
      expect(isThere || copies.length === 1, (await readdir(directory)).join(' ')).toBe(true)
      if (!wasKilled) expect(isThere).toBe(false)
    })
  })
})
