import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { assembleWat } from '../../../scripts/build-wasm.ts'
import {
  type Bytes,
  encodeBase64,
  fromUtf8,
  type JsonValue,
  mebibytes,
  millis,
  silentLogger,
  systemClock
} from '../../base/index.ts'
import { executorCompliance, requirement } from '../../testing/index.ts'
import type { Executor, ExitStatus, RunHandle, Workload } from '../index.ts'
import { createWasmExecutor, DEFAULT_WASM_LIMITS } from './index.ts'

const FIXTURES = new URL('../../../test/fixtures/wasm/', import.meta.url)

async function assemble(name: string): Promise<string> {
  return encodeBase64(await assembleWat(new URL(`${name}.wat`, FIXTURES)))
}

function createMachine(root: string) {
  let count = 0
  const options = { directory: join(root, 'records'), clock: systemClock, log: silentLogger }
  return {
    open: (log: Bytes = DEFAULT_WASM_LIMITS.log) => createWasmExecutor({ ...options, limits: { ...DEFAULT_WASM_LIMITS, log } }),
    async workload(spec: JsonValue, limits: Partial<Workload['limits']> = {}): Promise<Workload> {
      count += 1
      const directory = join(root, `job${count}`)
      await mkdir(directory, { mode: 0o700 })
      return {
        id: `ensemble_node.alloc${count}`,
        spec,
        limits: { cpuCores: 1, memory: mebibytes(16), disk: mebibytes(16), pids: 16, ...limits },
        directory,
        allowPrivileged: false,
        ports: []
      }
    }
  }
}

async function temporary(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'dms-wasm-'))
}

const needs = await requirement('wasm', async () => {
  const executor = createMachine('/nowhere').open()
  return executor.probe()
})

describe.skipIf(!needs.available)(needs.title('the wasm executor as any executor'), () => {
  executorCompliance({
    test,
    async create() {
      const root = await temporary()
      const { open, workload } = createMachine(root)
      return {
        executor: open(),
        workload: async (kind) => workload({ type: 'wasm', module: await assemble(kind) }),
        invalid: async () => ({ workload: await workload({ module: 'AAAA' }), field: 'module' }),
        reopen: () => open(),
        dispose: () => rm(root, { recursive: true })
      }
    }
  })
})

describe.skipIf(!needs.available)(needs.title('the wasm executor'), () => {
  let root: string
  let machine: ReturnType<typeof createMachine>
  let executor: Executor

  beforeEach(async () => {
    root = await temporary()
    machine = createMachine(root)
    executor = machine.open()
  })

  afterEach(async () => {
    for (const { handle } of await executor.list()) await executor.remove(handle)
    await rm(root, { recursive: true })
  })

  interface Outcome {
    readonly status: ExitStatus
    readonly stdout: string
    readonly stderr: string
    readonly workload: Workload
  }

  async function output(handle: RunHandle): Promise<{ stdout: string; stderr: string }> {
    const text = { stdout: '', stderr: '' }
    for await (const { stream, data } of executor.logs(handle)) text[stream] += fromUtf8(data)
    return text
  }

  async function run(workload: Workload): Promise<Outcome> {
    const handle = await executor.start(workload)
    const status = await executor.wait(handle)
    return { status, workload, ...(await output(handle)) }
  }

  async function runModule(name: string, args: string[] = [], limits: Partial<Workload['limits']> = {}): Promise<Outcome> {
    return run(await machine.workload({ module: await assemble(name), args }, limits))
  }

  async function runnerPid({ directory }: Workload): Promise<number> {
    const { pid } = JSON.parse(await readFile(join(directory, 'wasm/process.json'), 'utf8')) as { pid: number }
    return pid
  }

  test.each<[string, JsonValue, string]>([
    ['no map', 'module', 'execution: must be a map'],
    ['an unknown field', { modul: 'AAAA' }, 'modul: did you mean module?'],
    ['no module', {}, 'module: must be'],
    ['a module that is not base64', { module: '***' }, 'module: not canonical'],
    ['something else than a module', { module: 'aGVsbG8=' }, 'module: is not a WebAssembly module'],
    ['arguments that are no list', { module: 'AGFzbQEAAAA=', args: 'a' }, 'args: must be a list'],
    ['an argument that is no text', { module: 'AGFzbQEAAAA=', args: ['a', 1] }, 'args.1: must be a text'],
    ['a variable without a value', { module: 'AGFzbQEAAAA=', environment: ['A=1', 'B'] }, 'environment.1: must be KEY=VALUE'],
    ['a time limit of nothing', { module: 'AGFzbQEAAAA=', timeout: 0 }, 'timeout: must be a whole number']
  ])('refuses a description with %s', async (_, spec, message) => {
    const workload = await machine.workload(spec)
    expect(() => executor.check(workload)).toThrow(message)
  })

  test('refuses an id that could leave a directory', async () => {
    const workload = await machine.workload({ module: 'AGFzbQEAAAA=' })
    expect(() => executor.check({ ...workload, id: '../x' })).toThrow('id: must match')
  })

  test('refuses ports, as a module cannot listen', async () => {
    const workload = await machine.workload({ module: 'AGFzbQEAAAA=' })
    expect(() =>
      executor.check({ ...workload, ports: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 1, port: 1 }] })
    ).toThrow('ports')
  })

  test('refuses a module over its limit before it is decoded', async () => {
    const small = createWasmExecutor({
      directory: root,
      clock: systemClock,
      log: silentLogger,
      limits: { ...DEFAULT_WASM_LIMITS, module: mebibytes(0.001) }
    })
    const workload = await machine.workload({ module: 'A'.repeat(4000) })
    expect(() => small.check(workload)).toThrow('module: is larger than 1049 bytes')
  })

  test('gives the module its arguments and variables and nothing of this process', async () => {
    const module = encodeBase64(await readFile(new URL('../../../examples/hello.wasm', import.meta.url)))
    const list = await run(await machine.workload({ module, args: ['one', 'two'], environment: ['A=1', 'GREETING_FROM=list'] }))
    expect(list).toMatchObject({ status: { type: 'exited', code: 0 }, stdout: 'hello from list\nargument: one\nargument: two\n' })
    const map = await run(await machine.workload({ module, environment: { GREETING_FROM: 'map' } }))
    expect(map.stdout).toBe('hello from map\n')
    process.env['GREETING_FROM'] = 'the daemon'
    try {
      expect((await run(await machine.workload({ module }))).stdout).toBe('hello from wasm\n')
    } finally {
      delete process.env['GREETING_FROM']
    }
  })

  test('the example is what its script makes', async () => {
    const committed = await readFile(new URL('../../../examples/hello.wasm', import.meta.url))
    expect(committed.equals(await assembleWat(new URL('../../../examples/hello.wat', import.meta.url)))).toBe(true)
  })

  test('a trap is exit code 134 with a word on stderr', async () => {
    const { status, stderr } = await runModule('trap')
    expect(status).toEqual({ type: 'exited', code: 134 })
    expect(stderr).toContain('the module trapped: unreachable')
  })

  test('a module that needs more memory than allowed does not run', async () => {
    const { status, stderr } = await runModule('large')
    expect(status).toEqual({ type: 'exited', code: 126 })
    expect(stderr).toContain('the module cannot be run')
  })

  test('a module that needs less memory than allowed does', async () => {
    expect((await runModule('large', [], { memory: mebibytes(64) })).status).toEqual({ type: 'exited', code: 0 })
  })

  test('memory grows to the limit and not beyond', async () => {
    expect((await runModule('grow', [], { memory: mebibytes(4) })).status).toEqual({ type: 'exited', code: 64 })
  })

  test('a module cannot use much more beside its memory', async () => {
    const { status, workload } = await runModule('tables')
    expect(status).toEqual({ type: 'killed', signal: 'SIGABRT', outOfMemory: true })
    await rm(join(workload.directory, 'wasm/exit.json')) // as if the daemon had died before
    const [known] = await executor.list()
    expect(known && (await machine.open().wait(known.handle))).toEqual(status)
  })

  test('bytes after the header that are no module are exit code 126', async () => {
    const { status } = await run(await machine.workload({ module: encodeBase64(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 99)) }))
    expect(status).toEqual({ type: 'exited', code: 126 })
  })

  test('a module that writes finds its file in the data directory', async () => {
    const { status, workload } = await runModule('save')
    expect(status).toEqual({ type: 'exited', code: 0 })
    expect(await readFile(join(workload.directory, 'data/result'), 'utf8')).toBe('saved')
  })

  test('a module reads what is in the data directory', async () => {
    const workload = await machine.workload({ module: await assemble('open'), args: ['input.txt'] })
    await mkdir(join(workload.directory, 'data'))
    await writeFile(join(workload.directory, 'data/input.txt'), 'given')
    expect(await run(workload)).toMatchObject({ status: { type: 'exited', code: 0 }, stdout: 'given' })
  })

  test.each(['../wasm/run.json', '../../../../../../etc/passwd', '/etc/passwd', 'a/../../wasm/run.json', '/proc/self/environ'])(
    'a module does not read %s',
    async (path) => {
      const { status, stdout } = await runModule('open', [path])
      expect(stdout).toBe('')
      expect(status).toMatchObject({ type: 'exited' })
      expect(status).not.toMatchObject({ code: 0 })
    }
  )

  test('a module can neither make links, nor raise signals, nor replace its output', async () => {
    const workload = await machine.workload({ module: await assemble('escape') })
    await mkdir(join(workload.directory, 'data'))
    await writeFile(join(workload.directory, 'data/result'), 'to be linked')
    expect((await run(workload)).status).toEqual({ type: 'exited', code: 0 })
  })

  test('a data directory with a symbolic link is not given to a module', async () => {
    const workload = await machine.workload({ module: await assemble('open'), args: ['link/passwd'] })
    await mkdir(join(workload.directory, 'data'))
    await symlink('/etc', join(workload.directory, 'data/link'))
    const { status, stdout, stderr } = await run(workload)
    expect({ status, stdout }).toEqual({ status: { type: 'exited', code: 126 }, stdout: '' })
    expect(stderr).toContain('symbolic link')
  })

  test('a module cannot write more than its disk holds', async () => {
    const { status, workload } = await runModule('flood', ['file'], { disk: mebibytes(2) })
    expect(status).toEqual({ type: 'exited', code: 51 })
    expect((await readFile(join(workload.directory, 'data/flood'))).length).toBeLessThanOrEqual(mebibytes(2))
  })

  test('output beyond its limit is dropped, which the output says, and the module goes on', async () => {
    executor = machine.open(mebibytes(1))
    const { status, stdout } = await runModule('flood')
    expect(status).toEqual({ type: 'exited', code: 0 })
    expect(stdout.length).toBeLessThan(mebibytes(1) + 100)
    expect(stdout.endsWith('[output beyond 1048576 bytes is dropped]\n')).toBe(true)
  })

  test.each([
    ['f', 33, 'descriptors'],
    ['i', 51, 'empty files'],
    ['d', 37, 'directories within each other'],
    ['r', 134, 'calls within each other'],
    ['s', 58, 'sockets that nobody gave it']
  ])('a module that takes all it can (%s) is stopped with %i: %s', async (letter, code) => {
    expect((await runModule('hog', [letter])).status).toEqual({ type: 'exited', code })
  })

  test('a spinning module is over at its time limit', async () => {
    const { status, stderr } = await run(await machine.workload({ module: await assemble('spin'), timeout: 1 }))
    expect(status).toEqual({ type: 'killed', signal: 'SIGKILL', outOfMemory: false })
    expect(stderr).toContain('the time limit of 1000 ms is over')
  })

  test('a spinning module is stopped, and the supervisor with it', async () => {
    const workload = await machine.workload({ module: await assemble('spin') })
    const handle = await executor.start(workload)
    const pid = await runnerPid(workload)
    expect(await executor.usage(handle)).toMatchObject({
      cpuPercent: expect.any(Number) as unknown,
      memory: expect.any(Number) as unknown
    })
    await executor.stop(handle, millis(5000))
    expect(await executor.wait(handle)).toEqual({ type: 'killed', signal: 'SIGTERM', outOfMemory: false })
    await expect(readFile(`/proc/${pid}/stat`)).rejects.toThrow('ENOENT')
  })

  test('the supervisor has a session of its own, an empty environment and the first turn when memory runs out', async () => {
    const workload = await machine.workload({ module: await assemble('sleep') })
    await executor.start(workload)
    const pid = await runnerPid(workload)
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    expect(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])).toBe(pid)
    expect(await readFile(`/proc/${pid}/environ`, 'utf8')).toBe('')
    expect(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')).toBe('1000\n')
  })

  test('the supervisor is in control groups of its own where some can be made, and they go with it', async () => {
    const workload = await machine.workload({ module: await assemble('sleep') }, { cpuCores: 0.5 })
    const handle = await executor.start(workload)
    const pid = await runnerPid(workload)
    const { cgroups } = JSON.parse(await readFile(join(workload.directory, 'wasm/run.json'), 'utf8')) as { cgroups: string[] }
    for (const procs of cgroups) {
      await expect.poll(async () => await readFile(procs, 'utf8')).toBe(`${pid}\n`)
      const group = dirname(procs)
      for (const [file, value] of [
        ['cpu.cfs_quota_us', '50000'],
        ['cpu.max', '50000 100000'],
        ['memory.limit_in_bytes', String(mebibytes(16 + 288))],
        ['memory.max', String(mebibytes(16 + 288))]
      ] as const) {
        if (existsSync(join(group, file))) expect((await readFile(join(group, file), 'utf8')).trim()).toBe(value)
      }
    }
    await executor.remove(handle)
    expect(cgroups.filter((procs) => existsSync(dirname(procs)))).toEqual([])
  })

  test('a supervisor that does not answer is killed after the grace', async () => {
    const workload = await machine.workload({ module: await assemble('sleep') })
    const handle = await executor.start(workload)
    process.kill(await runnerPid(workload), 'SIGSTOP')
    await executor.stop(handle, millis(100))
    expect(await executor.wait(handle)).toEqual({ type: 'killed', signal: 'SIGKILL', outOfMemory: false })
  })

  test('a supervisor killed from outside counts as killed for the daemon that started it', async () => {
    const workload = await machine.workload({ module: await assemble('sleep') })
    const handle = await executor.start(workload)
    process.kill(await runnerPid(workload), 'SIGKILL')
    expect(await executor.wait(handle)).toEqual({ type: 'killed', signal: 'SIGKILL', outOfMemory: false })
  })

  test('a process id that now means another process is not taken for the module', async () => {
    const workload = await machine.workload({ module: await assemble('sleep') })
    const handle = await executor.start(workload)
    await executor.stop(handle, millis(0))
    const files = join(workload.directory, 'wasm')
    await rm(join(files, 'exit.json'))
    const identity = JSON.parse(await readFile(join(files, 'process.json'), 'utf8')) as object
    await writeFile(join(files, 'process.json'), JSON.stringify({ ...identity, pid: process.pid }))
    const restarted = machine.open()
    await restarted.stop(handle, millis(100))
    expect(await restarted.wait(handle)).toMatchObject({ type: 'lost' })
    expect(await machine.open().wait(handle)).toMatchObject({ type: 'lost' })
  })

  test('the run outlives the process that started it', async () => {
    const workload = await machine.workload({ module: await assemble('sleep') })
    const program = `
      import { createWasmExecutor } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
      import { silentLogger, systemClock } from ${JSON.stringify(new URL('../../base/index.ts', import.meta.url).href)}
      const executor = createWasmExecutor({ directory: ${JSON.stringify(join(root, 'records'))}, clock: systemClock, log: silentLogger })
      console.log(await executor.start(${JSON.stringify(workload)}))
      process.kill(process.pid, 'SIGKILL')`
    const script = join(root, 'daemon.mts')
    await writeFile(script, program)
    const handle = startAndDie(script)
    expect(await executor.recover(handle)).toBe(true)
    expect(await executor.usage(handle)).toMatchObject({ memory: expect.any(Number) as unknown })
    await executor.stop(handle, millis(5000))
    expect(await executor.wait(handle)).toMatchObject({ type: 'killed' })
  })

  function startAndDie(script: string): RunHandle {
    try {
      execFileSync(process.execPath, ['--import', import.meta.resolve('tsx'), script], { stdio: ['ignore', 'pipe', 'pipe'] })
    } catch (error) {
      if (error instanceof Error && 'signal' in error && error.signal === 'SIGKILL' && 'stdout' in error) {
        return String(error.stdout).trim() as RunHandle
      }
      throw error
    }
    throw new Error('the process should have killed itself')
  }

  test('a start that was interrupted before the supervisor began is taken up again', async () => {
    const workload = await machine.workload({ module: await assemble('hello') })
    await mkdir(join(workload.directory, 'wasm'))
    await writeFile(join(workload.directory, 'wasm/module.wasm'), 'half a mod')
    expect((await run(workload)).stdout).toBe('hello\n')
  })

  test('a removal leaves nothing in the directories', async () => {
    const { workload } = await runModule('save')
    for (const { handle } of await executor.list()) await executor.remove(handle)
    expect(await readdir(workload.directory)).toEqual([])
    expect(await readdir(join(root, 'records'))).toEqual([])
  })

  test('a workload whose directory is gone does not exist, and can still be removed', async () => {
    const { workload } = await runModule('hello')
    await rm(workload.directory, { recursive: true })
    const [known] = await executor.list()
    if (known === undefined) throw new Error('the list should have it')
    expect(await executor.recover(known.handle)).toBe(false)
    await executor.remove(known.handle)
    expect(await executor.list()).toEqual([])
  })
})
