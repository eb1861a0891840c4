import { execFileSync } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  fromUtf8,
  type JsonValue,
  mebibytes,
  millis,
  randomHex,
  silentLogger,
  systemClock,
  systemRandom
} from '../../base/index.ts'
import { executorCompliance, requirement } from '../../testing/index.ts'
import type { Executor, ExitStatus, Workload } from '../index.ts'
import { createOciExecutor, type ImageSource, type OciExecutorOptions } from './index.ts'
import { probeOci } from './probe.ts'

const NOISE = 'i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo "out $i"; echo "err $i" >&2; done'
const sh = (script: string): JsonValue => ({ image: 'busybox', cmd: ['sh', '-c', script] })
const SPECS = {
  hello: sh('echo hello'),
  exit3: sh('exit 3'),
  sleep: { image: 'busybox', cmd: ['sleep', '1000'] },
  noisy: sh(NOISE)
}

let layer = ''

beforeAll(async () => {
  layer = await mkdtemp(join(tmpdir(), 'dms-oci-layer-'))
  await chmod(layer, 0o755)
  for (const name of ['bin', 'etc', 'tmp', 'root']) await mkdir(join(layer, name))
  await chmod(join(layer, 'tmp'), 0o1777)
  await chmod(join(layer, 'root'), 0o700)
  await copyFile('/bin/busybox', join(layer, 'bin/busybox'))
  for (const name of ['sh', 'cat', 'sleep', 'ls', 'id', 'stat', 'mount', 'ip']) await symlink('busybox', join(layer, 'bin', name))
  await writeFile(join(layer, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n')
  await writeFile(join(layer, 'etc/group'), 'root:x:0:\nweb:x:44:\ntape:x:26:web,other\n')
})

afterAll(() => rm(layer, { recursive: true, force: true }))

const released: string[] = []
const images: ImageSource = {
  prepare: async () => ({
    config: {
      entrypoint: [],
      cmd: ['sh', '-c', 'echo of the image'],
      environment: ['FROM=image', 'KEPT=yes'],
      workingDirectory: '/',
      user: ''
    },
    lowerDirectories: [layer]
  }),
  release: async (id) => void released.push(id)
}

function createMachine(root: string, change: Partial<OciExecutorOptions> = {}) {
  return {
    open: () => createOciExecutor({ directory: join(root, 'records'), images, clock: systemClock, log: silentLogger, ...change }),
    async workload(spec: JsonValue, limits: Partial<Workload['limits']> = {}): Promise<Workload> {
      const id = `dms-test-${randomHex(systemRandom, 8)}_node.alloc`
      const directory = join(root, id)
      await mkdir(directory, { mode: 0o700 })
      return {
        id,
        spec,
        limits: { cpuCores: 0.5, memory: mebibytes(32), disk: mebibytes(32), pids: 32, ...limits },
        directory,
        allowPrivileged: false,
        ports: []
      }
    }
  }
}

const temporary = (): Promise<string> => mkdtemp(join(tmpdir(), 'dms-oci-'))

/** Nothing of a job is on the machine. */
function traces(root: string): string {
  const mounts = execFileSync('cat', ['/proc/self/mountinfo'], { encoding: 'utf8' }).split('\n')
  const loops = execFileSync('losetup', ['-a'], { encoding: 'utf8' }).split('\n')
  const links = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('nunetj'))
  const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n')
  return [...mounts, ...loops, ...processes]
    .filter((line) => line.includes(root))
    .concat(links)
    .join('\n')
}

for (const runtime of ['runc', 'crun'] as const) {
  const needs = await requirement(runtime, () => probeOci(runtime))

  describe.skipIf(!needs.available)(needs.title(`the oci executor on ${runtime} as any executor`), () => {
    executorCompliance({
      test,
      async create() {
        const root = await temporary()
        const { open, workload } = createMachine(root, { runtime })
        return {
          executor: open(),
          workload: async (kind) => workload(SPECS[kind]),
          shell: async (script) => workload(sh(script)),
          invalid: async () => ({ workload: await workload({ image: '' }), field: 'image' }),
          reopen: () => open(),
          async dispose() {
            expect(traces(root)).toBe('')
            await rm(root, { recursive: true })
          }
        }
      }
    })
  })
}

const needs = await requirement('oci', () => probeOci('auto'))

describe.skipIf(!needs.available)(needs.title('a container without a daemon'), () => {
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
    expect(traces(root)).toBe('')
    await rm(root, { recursive: true, force: true })
  })

  async function run(workload: Workload): Promise<{ status: ExitStatus; stdout: string; stderr: string }> {
    const handle = await executor.start(workload)
    const status = await executor.wait(handle)
    const text = { stdout: '', stderr: '' }
    for await (const { stream, data } of executor.logs(handle)) text[stream] += fromUtf8(data)
    return { status, ...text }
  }

  test.each<[string, JsonValue, Partial<Workload['limits']>, string]>([
    ['no image', {}, {}, 'image: is missing'],
    ['an unknown field', { image: 'a', privileged: true }, {}, 'privileged: '],
    ['another runtime', { image: 'a', runtime: 'youki' }, {}, 'runtime: must be runc'],
    ['a relative directory', { image: 'a', working_directory: 'x' }, {}, 'working_directory: must be absolute'],
    ['too little disk', { image: 'a' }, { disk: mebibytes(1) }, 'limits.disk: must be at least'],
    ['too little memory', { image: 'a' }, { memory: mebibytes(1) }, 'limits.memory: must be at least']
  ])('is refused with %s', async (_, spec, limits, message) => {
    await expect(executor.start(await machine.workload(spec, limits))).rejects.toThrow(message)
    expect(await executor.list()).toEqual([])
  })

  test.each<[string, JsonValue, string]>([
    ['a user that the image has not', { image: 'a', user: 'nobody-here' }, 'the image has no user "nobody-here"'],
    ['a group that the image has not', { image: 'a', user: 'web:none' }, 'the image has no group "none"']
  ])('is an error with %s, and leaves nothing', async (_, spec, message) => {
    const workload = await machine.workload(spec)
    await expect(executor.start(workload)).rejects.toMatchObject({
      code: 'EXECUTOR_START_FAILED',
      message: expect.stringContaining(message) as unknown
    })
    expect(await executor.list()).toEqual([])
    expect(await readdir(workload.directory)).toEqual([])
    expect(released).toContain(workload.id)
  })

  test('runs what the image says, with what the description adds', async () => {
    expect((await run(await machine.workload({ image: 'a' }))).stdout).toBe('of the image\n')
    const spec = { image: 'a', entrypoint: ['sh', '-c'], cmd: ['echo "$FROM $KEPT $HOME" $PWD $(id -u):$(id -g) $(id -G)'] }
    const extra = { environment: { FROM: 'the user' }, working_directory: '/tmp', user: 'web' }
    expect((await run(await machine.workload({ ...spec, ...extra }))).stdout).toBe('the user yes /srv /tmp 33:44 44 26\n')
  })

  test('ends with code 127 when the image has no such program, like a shell', async () => {
    const { status, stderr } = await run(await machine.workload({ image: 'a', cmd: ['/nothing'] }))
    expect(status).toEqual({ type: 'exited', code: 127 })
    expect(stderr).toContain('/nothing')
  })

  test('has few capabilities, cannot gain any, and may make few system calls', async () => {
    const { stdout } = await run(
      await machine.workload(
        sh('grep -E "Cap|NoNew|Seccomp:" /proc/self/status; unshare -n true 2>&1; mount -t tmpfs x /tmp 2>&1')
      )
    )
    expect(stdout).toContain('CapEff:\t00000000000004fb')
    expect(stdout).toContain('CapBnd:\t00000000000004fb')
    expect(stdout).toContain('NoNewPrivs:\t1')
    expect(stdout).toContain('Seccomp:\t2')
    expect(stdout).toMatch(/unshare.*not permitted/)
    expect(stdout).toMatch(/mount.*(permission denied|not permitted)/)
    const user = await run(
      await machine.workload({ image: 'a', cmd: ['sh', '-c', 'grep CapEff /proc/self/status'], user: 'web' })
    )
    expect(user.stdout).toContain('CapEff:\t0000000000000000')
  })

  test('has no network but its own, and commands inside have the same', async () => {
    const count = 'ip link | grep -c "^[0-9]"'
    expect((await run(await machine.workload(sh(count)))).stdout).toBe('1\n')
    const handle = await executor.start(await machine.workload(SPECS.sleep))
    const { output } = await executor.exec(handle, ['sh', '-c', count], { maxOutput: mebibytes(1) })
    expect(fromUtf8(output)).toBe('1\n')
  })

  test('writes no more than its disk, and other jobs see nothing of it', async () => {
    const { stdout, status } = await run(await machine.workload(sh('dd if=/dev/zero of=/fill bs=1M count=200 2>&1; echo end')))
    expect(stdout).toMatch(/No space left/)
    expect(status).toEqual({ type: 'exited', code: 0 })
    expect((await run(await machine.workload(sh('ls / | tr "\\n" " "')))).stdout).not.toContain('fill')
    expect(await readdir(layer)).not.toContain('fill')
  })

  test('is killed for using more memory than it was given', async () => {
    const { status } = await run(await machine.workload(sh('x=a; while true; do x=$x$x; done'), { memory: mebibytes(16) }))
    expect(status).toMatchObject({ type: 'killed', signal: 'SIGKILL' })
    expect(status).toHaveProperty('outOfMemory', true)
  })

  test('has only the processes that it was given', async () => {
    const { stderr } = await run(await machine.workload(sh('for i in $(seq 60); do sleep 2 & done; wait'), { pids: 16 }))
    expect(stderr).toMatch(/can't fork/)
  })

  test('gets a limited share of the processors', async () => {
    const handle = await executor.start(await machine.workload(sh('while true; do :; done')))
    const { cpuPercent = 0, memory = 0, pids } = await executor.usage(handle)
    expect(cpuPercent).toBeGreaterThan(10)
    expect(cpuPercent).toBeLessThan(80)
    expect(memory).toBeLessThan(mebibytes(32))
    expect(pids).toBeLessThan(5)
  })

  test('keeps so much of its output and no more, and does not wait for a reader', async () => {
    executor = createMachine(root, { logBytes: mebibytes(1) }).open()
    const { stdout, status } = await run(await machine.workload(sh('yes | head -c 8000000; echo the end >&2')))
    expect(status).toEqual({ type: 'exited', code: 0 })
    expect(stdout.length).toBeLessThan(mebibytes(1) + 200)
    expect(stdout).toMatch(/\[more output was dropped: 1048576 bytes are kept\]\n$/)
  })

  test('puts files where the image has links, without following them', async () => {
    await symlink('/etc', join(layer, 'lead'))
    try {
      const files = [{ path: '/lead/nunet-test-secret', content: Buffer.from('x'), mode: 0o600 }]
      const { stdout } = await run({
        ...(await machine.workload(sh('cat /lead/nunet-test-secret; stat -c %a /root /tmp'))),
        files
      })
      expect(stdout).toBe('x700\n1777\n')
      await expect(readFile('/etc/nunet-test-secret')).rejects.toThrow('ENOENT')
    } finally {
      await rm(join(layer, 'lead'))
    }
  })

  test('cannot write to its root where that is asked for', async () => {
    const spec = { image: 'a', cmd: ['sh', '-c', 'echo x > /x || echo refused'], read_only: true }
    expect((await run(await machine.workload(spec))).stdout).toBe('refused\n')
  })

  test('ends when it is asked to, without waiting for the grace', async () => {
    const handle = await executor.start(await machine.workload(SPECS.sleep))
    const started = Date.now()
    await executor.stop(handle, millis(8000))
    expect(Date.now() - started).toBeLessThan(6000)
    expect(await executor.wait(handle)).toEqual({ type: 'killed', signal: 'SIGTERM', outOfMemory: false })
  })

  test('goes when its monitor is killed, and is reported as lost', async () => {
    const workload = await machine.workload(SPECS.sleep)
    const handle = await executor.start(workload)
    const { pid } = JSON.parse(await readFile(join(workload.directory, 'oci/process.json'), 'utf8')) as { readonly pid: number }
    process.kill(pid, 'SIGKILL')
    expect(await executor.wait(handle)).toMatchObject({ type: 'lost' })
    await executor.remove(handle)
    expect(traces(workload.directory)).toBe('')
  })

  test('of a start that died before it ran anything is made by the next start', async () => {
    const workload = await machine.workload(SPECS.hello)
    await mkdir(join(workload.directory, 'starting-dead'))
    expect(await run(workload)).toMatchObject({ status: { type: 'exited', code: 0 }, stdout: 'hello\n' })
  })
})
