import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSecret } from '../../src/base/index.ts'
import { createKeystore, generateKeyPair } from '../../src/identity/index.ts'
import { requirement } from '../../src/testing/index.ts'
import type { Outcome } from '../support/machine.ts'

const PROGRAM = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))
const ROOTS = Array.from({ length: 8 }, () => generateKeyPair().did)

const mounts = await requirement('mount', async () => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { available: false, reason: 'only the superuser may mount' }
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' })
    return { available: true }
  } catch {
    return { available: false, reason: 'this system allows no mounts' }
  }
})

let home = ''
let contexts = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'nunet-faults-'))
  contexts = join(home, '.nunet', 'cap')
  const keystore = createKeystore({ directory: join(home, '.nunet', 'key'), kdf: { n: 2, r: 1, p: 1 } })
  await keystore.save('dms', generateKeyPair(), createSecret('secret'))
  expect((await nunet('cap', 'new', 'dms')).code).toBe(0)
})
afterEach(() => rm(home, { recursive: true }))

interface Launch {
  /** Code that the process runs before the program. */
  readonly preload?: string
  /** A command before it, such as one that makes a mount of its own. */
  readonly wrapper?: readonly string[]
}

async function run(
  args: readonly string[],
  { preload, wrapper = [] }: Launch = {}
): Promise<Outcome & { readonly signal: string | null }> {
  const loader = preload === undefined ? [] : ['--import', `data:text/javascript,${encodeURIComponent(preload)}`]
  const [command = '', ...rest] = [...wrapper, process.execPath, ...loader, PROGRAM, ...args]
  const child = spawn(command, rest, {
    cwd: home,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, DMS_PASSPHRASE: 'secret' },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { code, stdout, stderr, signal }
}

function nunet(...args: readonly string[]): Promise<Outcome> {
  return run(args)
}

const anchorRoot = (did: string): readonly string[] => ['cap', 'anchor', '--context', 'dms', '--root', did]

async function rootsNow(): Promise<string> {
  const { code, stdout } = await nunet('cap', 'list', '--context', 'dms')
  expect(code).toBe(0)
  return stdout
}

describe('a capability context', () => {
  test('that many commands write at once keeps what each of them said', async () => {
    const outcomes = await Promise.all(ROOTS.map((did) => nunet(...anchorRoot(did))))
    expect(outcomes.map(({ code, stderr }) => [code, stderr.split('\n')[0]?.slice(0, 8)])).toEqual(
      ROOTS.map(() => [0, 'Anchored'])
    )
    const list = await rootsNow()
    for (const did of ROOTS) expect(list).toContain(did)
    expect(await readdir(contexts)).toEqual(['dms.cap'])
  })

  test('is whole after a kill between the temporary file and its new name, and the next change tidies up', async () => {
    const [first = '', second = ''] = ROOTS
    expect((await nunet(...anchorRoot(first))).code).toBe(0)
    const before = await readFile(join(contexts, 'dms.cap'), 'utf8')
    const preload = `
      import fs from 'node:fs'
      import { syncBuiltinESMExports } from 'node:module'
      fs.promises.rename = () => process.kill(process.pid, 'SIGKILL')
      syncBuiltinESMExports()`
    expect((await run(anchorRoot(second), { preload })).signal).toBe('SIGKILL')
    expect(await readFile(join(contexts, 'dms.cap'), 'utf8')).toBe(before)
    expect((await readdir(contexts)).filter((name) => name.endsWith('.tmp'))).toHaveLength(1)
    expect((await nunet(...anchorRoot(second))).code).toBe(0)
    const list = await rootsNow()
    expect([list.includes(first), list.includes(second)]).toEqual([true, true])
    expect(await readdir(contexts)).toEqual(['dms.cap'])
  })

  test('that was changed by hand is refused, and left as it is', async () => {
    const text = (await readFile(join(contexts, 'dms.cap'), 'utf8')).replace('"roots":[]', `"roots":[{"uri":"${ROOTS[0]}"}]`)
    await writeFile(join(contexts, 'dms.cap'), text)
    for (const args of [anchorRoot(ROOTS[1] ?? ''), ['run', '-c', 'dms']]) {
      const { code, stderr } = await nunet(...args)
      expect(code).toBe(77)
      expect(stderr).toMatch(/^Error: .* was changed, but not with its key: .* nunet cap seal --context dms/)
    }
    expect(await readFile(join(contexts, 'dms.cap'), 'utf8')).toBe(text)
  })

  test('that everybody can write is refused, with the command that mends it', async () => {
    await chmod(join(contexts, 'dms.cap'), 0o666)
    const { code, stderr } = await nunet(...anchorRoot(ROOTS[0] ?? ''))
    expect(code).toBe(77)
    const [, command = ''] = /run (chmod go-w \S+?),? then/.exec(stderr) ?? []
    execFileSync('sh', ['-c', command.replace(/,$/, '')])
    expect((await nunet(...anchorRoot(ROOTS[0] ?? ''))).code).toBe(0)
  })

  describe.skipIf(!mounts.available)(mounts.title('on a disk of its own'), () => {
    /** Runs a command where the directory of contexts is mounted anew, seen by nobody else. */
    const within = (mount: string, ...args: readonly string[]): Promise<Outcome> =>
      run(args, { wrapper: ['unshare', '--mount', 'sh', '-c', `${mount} && exec "$@"`, 'sh'] })

    test('that cannot be written says so and stays as it is', async () => {
      const before = await readFile(join(contexts, 'dms.cap'), 'utf8')
      const mount = `mount --bind '${contexts}' '${contexts}' && mount -o remount,ro,bind '${contexts}'`
      const { code, stderr } = await within(mount, ...anchorRoot(ROOTS[0] ?? ''))
      expect(stderr).toMatch(/^Error: cannot .*read-only file system.*\n$/m)
      expect(code).toBe(77)
      expect(await readFile(join(contexts, 'dms.cap'), 'utf8')).toBe(before)
      expect(await readdir(contexts)).toEqual(['dms.cap'])
    })

    test('that is full says so and stays as it is', async () => {
      const copy = join(home, 'small')
      await mkdir(copy)
      // as much as the file, its lock and nothing else need
      const mount = `mount -t tmpfs -o size=16k tmpfs '${copy}' && cp '${contexts}/dms.cap' '${copy}' && chmod 600 '${copy}/dms.cap' && (head -c 20000 /dev/zero > '${copy}/ballast' 2>/dev/null; true) && mount --bind '${copy}' '${contexts}'`
      const script = `"$@"; code=$?; cmp '${contexts}/dms.cap' '${home}/reference.cap' || echo changed >&2; ls -A '${contexts}' >&2; exit $code`
      await writeFile(join(home, 'reference.cap'), await readFile(join(contexts, 'dms.cap')))
      const { code, stderr } = await run(anchorRoot(ROOTS[0] ?? ''), {
        wrapper: ['unshare', '--mount', 'sh', '-c', `${mount} && ${script}`, 'sh']
      })
      expect(stderr).toMatch(/^Error: cannot .*no space left on device/)
      expect(stderr).not.toContain('changed')
      expect(stderr.trim().split('\n').slice(1).sort()).toEqual(['ballast', 'dms.cap'])
      expect(code).toBe(75)
    })
  })
})
