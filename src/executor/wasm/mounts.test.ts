import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { assembleWat } from '../../../scripts/build-wasm.ts'
import { bytes, encodeBase64, fromUtf8, type JsonValue, mebibytes, silentLogger, systemClock } from '../../base/index.ts'
import { requirement } from '../../testing/index.ts'
import type { Executor, ExitStatus, Workload } from '../index.ts'
import { createWasmExecutor } from './index.ts'
import type { ModuleStore } from './modules.ts'

const FIXTURES = new URL('../../../test/fixtures/wasm/', import.meta.url)
const module = async (name: string) => encodeBase64(await assembleWat(new URL(`${name}.wat`, FIXTURES)))

const needs = await requirement('wasm', () =>
  createWasmExecutor({ directory: '/nowhere', clock: systemClock, log: silentLogger }).probe()
)

describe.skipIf(!needs.available)(needs.title('what a module has besides its own directory'), () => {
  let root: string
  let volume: string
  let executor: Executor
  let count = 0
  let swapper: ChildProcess | undefined

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'dms-wasm-mounts-'))
    volume = join(root, 'volume')
    await mkdir(volume)
    await writeFile(join(root, 'secret'), 'secret of the provider')
    executor = open()
  })
  afterEach(async () => {
    swapper?.kill('SIGKILL')
    for (const { handle } of await executor.list()) await executor.remove(handle)
    await rm(root, { recursive: true })
  })

  function open(modules?: ModuleStore): Executor {
    const directory = join(root, 'records')
    return createWasmExecutor({ directory, clock: systemClock, log: silentLogger, ...(modules && { modules }) })
  }

  async function workload(spec: JsonValue, more: Partial<Workload> = {}): Promise<Workload> {
    count += 1
    const directory = join(root, `job${count}`)
    await mkdir(directory, { mode: 0o700 })
    const limits = { cpuCores: 1, memory: mebibytes(16), disk: mebibytes(16), pids: 16 }
    return { id: `e_n.a${count}`, spec, limits, directory, allowPrivileged: false, ports: [], ...more }
  }

  async function run(job: Workload): Promise<{ status: ExitStatus; stdout: string; stderr: string }> {
    const handle = await executor.start(job)
    const status = await executor.wait(handle)
    const text = { stdout: '', stderr: '' }
    for await (const { stream, data } of executor.logs(handle)) text[stream] += fromUtf8(data)
    return { status, ...text }
  }

  async function work(letter: string, path: string, isReadOnly = false) {
    const mounts = [{ source: volume, target: '/data', isReadOnly }]
    return run(await workload({ module: await module('mounted'), args: [letter, path] }, { mounts }))
  }
  const code = async (letter: string, path: string, isReadOnly = false): Promise<number | undefined> => {
    const { status } = await work(letter, path, isReadOnly)
    return status.type === 'exited' ? status.code : undefined
  }

  const [EEXIST, EINVAL, ELOOP, ENOTDIR, EPERM, EROFS] = [20, 28, 32, 54, 63, 69]

  test('a mount that is read-only is read and not changed in any way', async () => {
    await writeFile(join(volume, 'given'), 'given')
    await mkdir(join(volume, 'inner'))
    expect(await work('r', 'given', true)).toMatchObject({ status: { type: 'exited', code: 0 }, stdout: 'given' })
    expect(await code('s', 'given', true)).toBe(0)
    for (const [letter, path] of [
      ['w', 'given'],
      ['w', 'new'],
      ['u', 'given'],
      ['m', 'directory'],
      ['d', 'inner'],
      ['n', 'given']
    ] as const) {
      expect(await code(letter, path, true), `${letter} ${path}`).toBe(EROFS)
    }
    expect((await readdir(volume)).sort()).toEqual(['given', 'inner'])
    expect(await readFile(join(volume, 'given'), 'utf8')).toBe('given')
  })

  test('a mount that is not is changed, and keeps what it got when the module is removed', async () => {
    expect(await code('w', 'file')).toBe(0)
    expect(await code('m', 'inner')).toBe(0)
    expect(await code('m', 'inner')).toBe(EEXIST)
    expect(await code('w', 'inner/file')).toBe(0)
    expect(await code('n', 'inner/file')).toBe(0)
    expect(await code('d', 'inner')).toBe(0)
    expect(await code('u', 'file')).toBe(0)
    for (const { handle } of await executor.list()) await executor.remove(handle)
    expect(await readdir(volume)).toEqual(['renamed'])
    expect(await readFile(join(volume, 'renamed'), 'utf8')).toBe('written')
  })

  test.each(['../secret', '../../../../../../etc/passwd', 'inner/../../secret', '/etc/passwd'])(
    'no path leads out: %s',
    async (path) => {
      await mkdir(join(volume, 'inner'))
      for (const letter of ['r', 'w', 'u', 's', 'm']) {
        expect([EPERM, EINVAL], letter).toContain(await code(letter, path))
      }
      expect(await readFile(join(root, 'secret'), 'utf8')).toBe('secret of the provider')
    }
  )

  test('no link that somebody else has put there is followed', async () => {
    await symlink(join(root, 'secret'), join(volume, 'file'))
    await symlink(root, join(volume, 'directory'))
    for (const path of ['file', 'directory/secret']) {
      expect(await work('r', path)).toMatchObject({ status: { type: 'exited', code: ELOOP }, stdout: '' })
      expect(await code('w', path)).toBe(ELOOP)
      expect(await code('s', path)).toBe(ELOOP)
    }
    expect(await code('u', 'directory/secret')).toBe(ENOTDIR)
    expect(await readFile(join(root, 'secret'), 'utf8')).toBe('secret of the provider')
  })

  /** Another job with the same volume: puts a directory and a link to outside in each other's place, all the time. */
  async function swap(): Promise<void> {
    await mkdir(join(volume, 'a'))
    await writeFile(join(volume, 'a', 'secret'), 'of the job')
    await symlink(root, join(volume, 'b'))
    const program = `
      const { renameSync } = require('node:fs')
      process.chdir(${JSON.stringify(volume)})
      for (;;) { renameSync('a', 'swap'); renameSync('swap', 'a'); renameSync('b', 'swap'); renameSync('swap', 'b') }`
    swapper = spawn(process.execPath, ['-e', program], { stdio: 'ignore' })
  }

  test('a link that is swapped in while the module opens a file gives it nothing from outside', async () => {
    await swap()
    const { status, stdout, stderr } = await work('l', 'swap/secret')
    expect(stdout).not.toContain('provider')
    // Either no race was won, or the first that was ended the run.
    if (status.type === 'killed') expect(stderr).toContain('led out of its volumes by a symbolic link')
    else expect(status).toEqual({ type: 'exited', code: 0 })
  })

  test('a link that is swapped in while the module makes and removes files changes nothing outside', async () => {
    await swap()
    await chmod(join(root, 'secret'), 0o600)
    const before = (await stat(join(root, 'secret'))).ino
    const { status } = await work('v', 'swap/secret')
    expect(['killed', 'exited']).toContain(status.type)
    expect(await readFile(join(root, 'secret'), 'utf8')).toBe('secret of the provider')
    expect((await stat(join(root, 'secret'))).ino).toBe(before)
  })

  test('files are inside before the module runs, and only in its own directory', async () => {
    const files = [{ path: '/keys/key', content: Buffer.from('opened'), mode: 0o400 }]
    const job = await workload({ module: await module('open'), args: ['keys/key'] }, { files })
    expect(await run(job)).toMatchObject({ status: { type: 'exited', code: 0 }, stdout: 'opened' })
    expect((await stat(join(job.directory, 'data/keys/key'))).mode & 0o777).toBe(0o400)
  })

  test.each<[string, Partial<Workload>, string]>([
    ['files with ".."', { files: [{ path: '/../etc/cron.d/x', content: Buffer.from(''), mode: 0o644 }] }, 'files.0.path'],
    ['scripts', { scripts: [{ name: 'first', content: Buffer.from('') }] }, 'scripts: a WASI module has no shell'],
    ['a mount with ".."', { mounts: [{ source: '/tmp', target: '/a/../b', isReadOnly: true }] }, 'mounts.0'],
    [
      'mounts within each other',
      {
        mounts: [
          { source: '/tmp', target: '/a', isReadOnly: true },
          { source: '/tmp', target: '/a/b', isReadOnly: true }
        ]
      },
      'mounts.1: lies within the one at /a'
    ]
  ])('%s are refused by name', async (_, more, message) => {
    const job = await workload({ module: await module('hello') }, more)
    expect(() => executor.check(job)).toThrow(message)
  })

  test('a module lies on a volume', async () => {
    const mounts = [{ source: volume, target: '/data', isReadOnly: true }]
    await writeFile(join(volume, 'hello.wasm'), await assembleWat(new URL('hello.wat', FIXTURES)))
    expect(await run(await workload({ module_path: '/data/hello.wasm' }, { mounts }))).toMatchObject({ stdout: 'hello\n' })
    const elsewhere = await workload({ module_path: '/etc/passwd' }, { mounts })
    expect(() => executor.check(elsewhere)).toThrow('module_path: "/etc/passwd" is not below a volume of the job')
  })

  test.each<[string, () => Promise<unknown>, string]>([
    ['nothing', async () => undefined, 'module_path: cannot be read: ENOENT'],
    ['no module', () => writeFile(join(volume, 'm.wasm'), 'text'), 'module_path: is not a WebAssembly module'],
    ['a directory', () => mkdir(join(volume, 'm.wasm')), 'module_path: is no file'],
    ['a link out', () => symlink('/etc/passwd', join(volume, 'm.wasm')), 'module_path: cannot be read: ELOOP'],
    [
      'too much',
      () => writeFile(join(volume, 'm.wasm'), Buffer.alloc(65 * 2 ** 20)),
      'module_path: is larger than 67108864 bytes'
    ]
  ])('a volume with %s where the module should be is a clear refusal, and leaves nothing', async (_, prepare, message) => {
    await prepare()
    const mounts = [{ source: volume, target: '/data', isReadOnly: true }]
    const job = await workload({ module_path: '/data/m.wasm' }, { mounts })
    await expect(executor.start(job)).rejects.toThrow(message)
    expect(await executor.list()).toEqual([])
  })

  test('a module that lies below a directory which is a link out is refused', async () => {
    await writeFile(join(root, 'outside.wasm'), await assembleWat(new URL('hello.wat', FIXTURES)))
    await symlink(root, join(volume, 'link'))
    const mounts = [{ source: volume, target: '/data', isReadOnly: true }]
    const job = await workload({ module_path: '/data/link/outside.wasm' }, { mounts })
    await expect(executor.start(job)).rejects.toThrow('module_path: leads out of the volume')
  })

  test('a module comes from a registry, with its login, and is given back once it is copied', async () => {
    const asked: unknown[] = []
    await writeFile(join(root, 'fetched'), await assembleWat(new URL('hello.wat', FIXTURES)))
    executor = open({
      fetch(reference, { workloadId, auth, maxBytes }) {
        asked.push([reference, workloadId, auth?.username, maxBytes])
        return Promise.resolve({ path: join(root, 'fetched') })
      },
      release(workloadId) {
        asked.push(['release', workloadId])
        return Promise.resolve()
      }
    })
    const job = await workload({ image: 'registry.example/hello:1', registry_auth: { username: 'me', password: 'secret' } })
    expect(await run(job)).toMatchObject({ stdout: 'hello\n' })
    expect(asked).toEqual([
      ['registry.example/hello:1', job.id, 'me', bytes(64 * 2 ** 20)],
      ['release', job.id]
    ])
  })

  test('a module has one source', async () => {
    const both = await workload({ module: await module('hello'), image: 'a/b' })
    expect(() => executor.check(both)).toThrow('image: stands beside module: a module has one source')
  })

  test('a spinning module is over when its processor time is, and a sleeping one is not', async () => {
    const spinning = await run(await workload({ module: await module('spin'), cpu_time: 1 }))
    expect(spinning.status).toEqual({ type: 'killed', signal: 'SIGXCPU', outOfMemory: false })
    expect(spinning.stderr).toContain('the limit of 1000 ms of processor time is over')
  })
})
