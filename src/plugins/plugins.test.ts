import { chmod, cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleFile } from '../../scripts/support/bundler.ts'
import { bytes, millis, silentLogger, systemClock } from '../base/index.ts'
import type { Workload } from '../executor/index.ts'
import { executorCompliance, HELLO, NOISY_LINES, type WorkloadKind } from '../testing/compliance/index.ts'
import { BUILT_IN_EXECUTORS, describePlugins, loadPlugins, type Plugins } from './plugins.ts'

const ECHO = fileURLToPath(new URL('../../examples/plugin-echo', import.meta.url))

let scratch: string
let count = 0
const running: Plugins[] = []

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'nunet-plugins-'))
})
afterAll(async () => {
  await Promise.all(running.map((plugins) => plugins.stop()))
  await rm(scratch, { recursive: true, force: true })
})

interface PackageOptions {
  readonly nunet?: unknown
  readonly manifest?: object
}

/** A package with this module; by default it adds the executor `probe`. */
async function pack(source: string, { nunet = { apiVersion: 1, executors: ['probe'] }, manifest = {} }: PackageOptions = {}) {
  const directory = join(scratch, `package-${count++}`)
  await mkdir(directory, { mode: 0o755 })
  const about = { name: `@acme/p${count}`, version: '1.2.3', type: 'module', exports: './index.js', nunet, ...manifest }
  await writeFile(join(directory, 'package.json'), JSON.stringify(about))
  await writeFile(join(directory, 'index.js'), source)
  return directory
}

async function load(...names: readonly string[]): Promise<Plugins> {
  const plugins = await loadPlugins({
    names,
    packages: join(scratch, 'installed'),
    state: join(scratch, `state-${count++}`),
    builtIn: BUILT_IN_EXECUTORS,
    environment: { PATH: '/bin', DMS_PASSPHRASE: 'secret' },
    clock: systemClock,
    log: silentLogger,
    loadLimit: millis(3000)
  })
  running.push(plugins)
  return plugins
}

async function reasonOf(...names: readonly string[]): Promise<string> {
  const { executors } = await load(...names)
  const probe = await executors.at(-1)?.probe()
  return probe?.available === false ? probe.reason : 'available'
}

/** A plugin that registers an executor with these members over harmless ones. */
const plugin = (members = '', before = '') => `
${before}
const executor = {
  kind: 'probe',
  features: { ports: true, mounts: false, files: false, scripts: false, gpus: false, exec: false },
  probe: async () => ({ available: true, version: '1' }),
  check() {}, start: async () => 'h', recover: async () => true, wait: () => new Promise(() => {}),
  stop: async () => {}, remove: async () => {}, async *logs() {}, usage: async () => ({}), exec: async () => { throw new Error('no') },
  list: async () => [],
  ${members}
}
export const plugin = { apiVersion: 1, register(host) { globalThis.host = host; host.addExecutor(executor) } }
`

const containing = (text: string): unknown => expect.stringContaining(text)

const workload: Workload = {
  id: 'job',
  spec: {},
  limits: { cpuCores: 1, memory: bytes(1), disk: bytes(1), pids: 1 },
  directory: '/',
  allowPrivileged: false,
  ports: []
}

describe('a plugin is not loaded', () => {
  test('that is not there, with the command that installs it', async () => {
    expect(await reasonOf('@acme/missing')).toMatch(/there is no .*@acme\/missing: install it with npm install --prefix/)
  })

  test('for another version of the interface, and both versions are said', async () => {
    const later = await pack(plugin(), { nunet: { apiVersion: 2, executors: ['probe'] } })
    expect(await reasonOf(later)).toContain('it is for version 2 of the plugin interface, this program has version 1')
    const mixed = await pack('export const plugin = { apiVersion: 7, register() {} }')
    expect(await reasonOf(mixed)).toContain('it is for version 7 of the plugin interface, this program has version 1')
  })

  test.each([
    [undefined, 'has no member nunet'],
    [{ apiVersion: 1, executors: ['docker'] }, 'docker is the name of an executor of this program'],
    [{ apiVersion: 1, executors: ['oci'] }, 'oci is the name of an executor of this program'],
    [{ apiVersion: 1, executors: ['../x'] }, 'is no name'],
    [{ apiVersion: 1, executors: [] }, 'must be a list of 1 to 16 names'],
    [{ apiVersion: 1, executors: ['probe'], paymentProviders: ['x'] }, 'this version takes no payment providers from plugins'],
    [{ apiVersion: 1, executors: ['probe'], volumeProviders: ['x'] }, 'this version takes no volume providers from plugins']
  ])('that says %j of itself', async (nunet, reason) => {
    expect(await reasonOf(await pack(plugin(), { nunet: nunet ?? null }))).toContain(reason)
  })

  test('whose executor another plugin has', async () => {
    expect(await reasonOf(await pack(plugin()), await pack(plugin()))).toContain(
      'probe is the name of an executor of plugin @acme/p'
    )
  })

  test('that others than its owner can change, also by a directory above', async () => {
    const open = await pack(plugin())
    await chmod(join(open, 'index.js'), 0o666)
    expect(await reasonOf(open)).toMatch(/others than its owner can change it: .*index\.js has mode 0666/)
    const above = join(scratch, 'shared')
    await mkdir(above)
    await cp(await pack(plugin()), join(above, 'inner'), { recursive: true })
    await chmod(above, 0o777)
    expect(await reasonOf(join(above, 'inner'))).toMatch(/others than its owner can change it: .*shared has mode 0777/)
  })

  test('whose module lies outside of it', async () => {
    const directory = await pack(plugin(), { manifest: { exports: './link.js' } })
    await writeFile(join(scratch, 'outside.js'), plugin())
    await symlink(join(scratch, 'outside.js'), join(directory, 'link.js'))
    expect(await reasonOf(directory)).toContain('is outside of')
    expect(await reasonOf(await pack(plugin(), { manifest: { exports: '../outside.js' } }))).toContain('is outside of')
  })

  test.each([
    ['throws while it loads', 'throw new Error("broken inside")', 'broken inside'],
    ['has a syntax error', 'export const = 1', 'Unexpected token'],
    ['exports nothing', 'export const other = 1', 'exports no plugin'],
    ['rejects', 'export const plugin = { apiVersion: 1, register: async () => { throw new Error("not today") } }', 'not today'],
    ['adds what it does not name', plugin("kind: 'other',"), 'adds the executor other'],
    ['adds nothing', 'export const plugin = { apiVersion: 1, register() {} }', 'did not add the executor probe'],
    ['ends the process', 'process.exit(3)', 'it ended with code 3'],
    [
      'never ends its registration',
      'export const plugin = { apiVersion: 1, register: () => new Promise(() => {}) }',
      'within 3000 ms'
    ],
    ['loops for ever', 'for (;;);', 'it did not register within 3000 ms'],
    ['eats memory', 'const all = []; for (;;) all.push(new Array(1e5).fill(1.5))', 'memory']
  ])('that %s; the daemon goes on and its executor says why', async (_, source, reason) => {
    expect(await reasonOf(await pack(source))).toContain(reason)
  })
})

describe('a plugin that was loaded', () => {
  async function executorOf(source: string) {
    const [executor] = (await load(await pack(source))).executors
    if (executor === undefined) throw new Error('there is no executor')
    return executor
  }

  test('has its features and answers its probe', async () => {
    const executor = await executorOf(plugin())
    expect(executor.features.ports).toBe(true)
    expect(await executor.probe()).toEqual({ available: true, version: '1' })
  })

  test('finds no passphrase in its environment, and its directory is private', async () => {
    const executor = await executorOf(
      plugin("list: async () => [{ id: process.env.DMS_PASSPHRASE ?? 'none', handle: globalThis.host.directory }],")
    )
    const [item] = await executor.list()
    expect(item?.id).toBe('none')
    expect(await readdir(String(item?.handle))).toEqual([])
  })

  test.each([
    ['throws', "probe() { throw new Error('no engine') }", 'no engine'],
    ['rejects', "probe: async () => { throw new Error('no engine') }", 'no engine'],
    ['answers nonsense', 'probe: async () => 7', 'not what the interface says'],
    ['never answers', 'probe: () => new Promise(() => {})', 'did not answer probe within 4000 ms'],
    ['throws beside it', 'probe() { setTimeout(() => { throw new Error("beside") }); return new Promise(() => {}) }', 'beside'],
    ['leaves a promise rejected', 'probe() { Promise.reject(new Error("nobody")); return new Promise(() => {}) }', 'nobody'],
    ['loops', 'probe() { for (;;); }', 'did not answer probe within 4000 ms']
  ])('and in its probe %s is not available, with the reason', async (_, member, reason) => {
    const executor = await executorOf(plugin(`${member},`))
    expect(await executor.probe()).toMatchObject({ available: false, reason: containing(reason) })
  })

  test('and fails later refuses every call with the reason', async () => {
    const executor = await executorOf(
      plugin("list() { setTimeout(() => { throw new Error('too late') }); return new Promise(() => {}) },")
    )
    const waiting = executor.wait('h' as never)
    await expect(executor.list()).rejects.toMatchObject({ code: 'PLUGINS_FAILED', kind: 'unavailable' })
    await expect(waiting).rejects.toThrow('too late')
    await expect(executor.start(workload)).rejects.toThrow('too late')
    expect(await executor.probe()).toMatchObject({ available: false, reason: containing('too late') })
  })

  test('gives its refusals as those of the interface', async () => {
    const executor = await executorOf(
      plugin(
        `check() { throw Object.assign(new Error('text: must be a text'), { code: 'EXECUTOR_BAD_SPEC', details: { field: 'text' } }) },`
      )
    )
    await expect(executor.check(workload)).rejects.toMatchObject({ code: 'EXECUTOR_BAD_SPEC', message: 'text: must be a text' })
  })
})

test('plugins are described without running them', async () => {
  const good = await pack('process.exit(1)')
  const described = await describePlugins({ names: [good, '/none'], packages: scratch, builtIn: [] })
  expect(described).toEqual([
    { name: good, version: '1.2.3', executors: ['probe'] },
    { name: '/none', refusal: containing('there is no /none') }
  ])
})

describe('the example of a plugin, behind its thread', () => {
  let directory: string

  beforeAll(async () => {
    directory = join(scratch, 'echo')
    await cp(ECHO, directory, { recursive: true, filter: (path) => !path.includes('node_modules') })
    const dms = join(directory, 'node_modules', '@nunet', 'dms')
    await mkdir(dms, { recursive: true })
    await writeFile(
      join(dms, 'package.json'),
      JSON.stringify({ name: '@nunet/dms', type: 'module', exports: { './plugin': './p.js' } })
    )
    await writeFile(join(dms, 'p.js'), await bundleFile(fileURLToPath(new URL('./author.ts', import.meta.url))))
  })

  const lines = (word: string) => Array.from({ length: NOISY_LINES }, (_, index) => `${word} ${index + 1}\n`).join('')
  const SPECS: Readonly<Record<WorkloadKind, Workload['spec']>> = {
    hello: { text: HELLO },
    exit3: { text: '', code: 3 },
    sleep: { text: '', seconds: -1 },
    noisy: { text: lines('out'), error: lines('err') }
  }

  executorCompliance({
    test,
    async create() {
      const plugins = await load(directory)
      const [executor] = plugins.executors
      if (executor === undefined) throw new Error('there is no executor')
      return {
        executor,
        workload: (kind) => Promise.resolve({ ...workload, id: `echo-${count++}`, spec: SPECS[kind] }),
        invalid: () => Promise.resolve({ workload: { ...workload, spec: { text: 1 } }, field: 'text' }),
        reopen: () => executor,
        dispose: () => plugins.stop()
      }
    }
  })
})
