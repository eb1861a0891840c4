import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { mebibytes, millis } from '../../base/index.ts'
import { createMachineProvider, MACHINE_GUEST, MACHINE_PATIENCE, machineScript, requirement } from '../../testing/index.ts'
import type { Executor, ExitStatus, RunHandle, Workload } from '../index.ts'
import { isAlive } from '../process.ts'
import type { RootImages } from './index.ts'
import { readIdentity } from './run-files.ts'

const needs = await requirement('microvm', () => createMachineProvider('/nowhere').open().probe())
const isRoot = process.getuid?.() === 0

describe.skipIf(!needs.available)(needs.title('a micro machine'), MACHINE_PATIENCE, () => {
  let root = ''
  let provider = createMachineProvider('/nowhere')
  let executor: Executor

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'dms-machine-'))
    provider = createMachineProvider(root)
    executor = provider.open(images())
    await mkdir(join(root, 'images'))
  })
  afterEach(async () => {
    for (const { handle } of await executor.list()) await executor.remove(handle)
    await rm(root, { recursive: true, force: true })
  })

  /** Two layers: one with busybox and a file, one above it that hides the file and adds another. */
  function images(): RootImages {
    const layers = ['upper', 'lower'].map((name) => join(root, 'layers', name))
    const config = {
      entrypoint: ['/bin/sh', '-c'],
      cmd: ['cat /etc/*; pwd; echo $WHO'],
      environment: ['WHO=image'],
      workingDirectory: '/srv'
    }
    return {
      async prepare() {
        for (const path of ['lower/bin', 'lower/etc', 'lower/srv', 'upper/etc'])
          await mkdir(join(root, 'layers', path), { recursive: true })
        await copyFile(join(MACHINE_GUEST, 'bin/busybox'), join(root, 'layers/lower/bin/busybox'))
        for (const name of ['sh', 'cat']) await symlink('busybox', join(root, 'layers/lower/bin', name))
        await writeFile(join(root, 'layers/lower/etc/hidden'), 'hidden\n')
        await writeFile(join(root, 'layers/lower/etc/name'), 'below\n')
        await writeFile(join(root, 'layers/upper/etc/name'), 'above\n')
        execFileSync('mknod', [join(root, 'layers/upper/etc/hidden'), 'c', '0', '0'])
        return { lowerDirectories: layers, config }
      },
      release: () => Promise.resolve()
    }
  }

  async function run(workload: Workload): Promise<{ status: ExitStatus; stdout: string; stderr: string }> {
    const handle = await executor.start(workload)
    const status = await executor.wait(handle)
    const output = { stdout: '', stderr: '' }
    for await (const { stream, data } of executor.logs(handle)) output[stream] += Buffer.from(data).toString('utf8')
    return { status, ...output }
  }

  async function pidOf(workload: Workload, file: 'machine' | 'process'): Promise<number> {
    const record = JSON.parse(await readFile(join(workload.directory, 'microvm', `${file}.json`), 'utf8')) as { pid: number }
    return record.pid
  }

  test('has no network, sees no disk, and has the environment and metadata of its description', async () => {
    const script = 'ls /sys/class/net; ls /sys/block | grep -c vd; cat /run/nunet-metadata; echo; pwd; env | sort'
    const spec = { ...machineScript(script), environment: { A: "it's" }, mmds_message: '{"key":1}', working_directory: '/tmp' }
    const { status, stdout } = await run(await provider.workload(spec))
    expect(status).toEqual({ type: 'exited', code: 0 })
    expect(stdout.split('\n').slice(0, 4)).toEqual(['lo', '0', '{"key":1}', '/tmp'])
    expect(stdout).toContain("A=it's\n")
    expect(stdout).not.toContain(process.env['USER'] ?? 'nothing else')
  })

  test.skipIf(!isRoot)('runs as a user of its own, without rights, in a control group', async () => {
    const workload = await provider.workload(machineScript('sleep 600'), { cpuCores: 0.5 })
    await executor.start(workload)
    const status = await readFile(`/proc/${await pidOf(workload, 'machine')}/status`, 'utf8')
    const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? ''
    expect(Number(field('Uid').split('\t')[0])).toBeGreaterThanOrEqual(2_000_000_000)
    expect([field('CapEff'), field('CapBnd'), field('NoNewPrivs'), field('Groups').trim()]).toEqual([
      '0000000000000000',
      '0000000000000000',
      '1',
      ''
    ])
    await expect
      .poll(async () => (await readFile(`/proc/${await pidOf(workload, 'machine')}/status`, 'utf8')).includes('Seccomp:\t2'))
      .toBe(true)
    const { cgroups } = JSON.parse(await readFile(join(workload.directory, 'microvm/run.json'), 'utf8')) as { cgroups: string[] }
    for (const group of cgroups) expect(await readFile(group, 'utf8')).toBe(`${await pidOf(workload, 'machine')}\n`)
  })

  test('without memory ends the job, not the provider, and says why', async () => {
    const { status } = await run(await provider.workload(machineScript('x=aaaaaaaa; while :; do x=$x$x; done')))
    expect(status).toEqual({ type: 'killed', signal: 'SIGKILL', outOfMemory: true })
  })

  test('whose kernel gives up is reported with the last words of the kernel', async () => {
    const { status, stderr } = await run(await provider.workload(machineScript('echo c > /proc/sysrq-trigger')))
    expect(status).toMatchObject({ type: 'killed', outOfMemory: false })
    expect(stderr).toContain('sysrq triggered crash')
  })

  test('writes more than is kept of its output, which is said', async () => {
    const { status, stdout } = await run(await provider.workload(machineScript('head -c 11000000 /dev/zero')))
    expect(status).toEqual({ type: 'exited', code: 0 })
    expect(stdout.length).toBeLessThan(mebibytes(10) + 100)
    expect(stdout.endsWith('[output beyond 10485760 bytes is dropped]\n')).toBe(true)
  })

  test('refuses disks that are not among the images, links that lead out, and more disk than promised', async () => {
    await symlink('/etc/passwd', join(root, 'images/link'))
    await writeFile(join(root, 'images/disk'), '')
    await truncate(join(root, 'images/disk'), mebibytes(20))
    await expect(executor.start(await provider.workload({ root_file_system: 'none' }))).rejects.toThrow('keeps no "none"')
    await expect(executor.start(await provider.workload({ root_file_system: 'link' }))).rejects.toThrow('keeps no "link"')
    const large = await provider.workload({ root_file_system: 'disk' }, { disk: mebibytes(10) })
    await expect(executor.start(large)).rejects.toThrow('limits.disk')
    expect(await executor.list()).toEqual([])
    expect(await readdir(large.directory)).toEqual([])
  })

  test('has a copy of a disk as its root, writes no more than that, and sees further disks', async () => {
    await mkdir(join(root, 'tree/bin'), { recursive: true })
    await copyFile(join(MACHINE_GUEST, 'bin/busybox'), join(root, 'tree/bin/busybox'))
    await symlink('busybox', join(root, 'tree/bin/sh'))
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', join(root, 'tree'), join(root, 'images/root.ext4'), '16m'])
    await writeFile(join(root, 'images/data'), 'further'.padEnd(512))
    const before = await readFile(join(root, 'images/root.ext4'))
    const script =
      'busybox dd if=/dev/zero of=/full bs=1M count=64 2>/dev/null; echo $?; busybox head -c 7 /dev/vdb /dev/vda | busybox grep further'
    const { status, stdout } = await run(
      await provider.workload({ root_file_system: 'root.ext4', drives: ['data'], command: ['/bin/sh', '-c', script] })
    )
    expect({ status, stdout }).toEqual({ status: { type: 'exited', code: 0 }, stdout: '1\nfurther\n' })
    expect((await readFile(join(root, 'images/root.ext4'))).equals(before)).toBe(true)
  })

  test('with an init of its own runs that until it switches itself off', async () => {
    await mkdir(join(root, 'tree/sbin'), { recursive: true })
    await copyFile(join(MACHINE_GUEST, 'bin/busybox'), join(root, 'tree/sbin/busybox'))
    await writeFile(join(root, 'tree/sbin/init'), '#!/sbin/busybox sh\necho I am process $$\n/sbin/busybox poweroff -f\n')
    await chmod(join(root, 'tree/sbin/init'), 0o755)
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', join(root, 'tree'), join(root, 'images/root.ext4'), '16m'])
    const { status, stdout } = await run(await provider.workload({ root_file_system: 'root.ext4' }))
    expect(status).toEqual({ type: 'exited', code: 0 })
    expect(stdout).toContain('I am process 1')
  })

  test.skipIf(!isRoot)('has the layers of an image as its root, and runs what the image says', async () => {
    const { status, stdout } = await run(await provider.workload({ image: 'some/image:1' }))
    expect({ status, stdout }).toEqual({ status: { type: 'exited', code: 0 }, stdout: 'above\n/srv\nimage\n' })
  })

  test('lives on when the daemon is killed, and is found by the next one', async () => {
    const workload = await provider.workload(machineScript('echo up; sleep 600'))
    const handle = startAndDie(workload)
    expect(await executor.recover(handle)).toBe(true)
    for await (const { data } of executor.logs(handle, { follow: true })) if (Buffer.from(data).includes('up')) break
    expect(await executor.usage(handle)).toMatchObject({
      memory: expect.any(Number) as unknown,
      cpuPercent: expect.any(Number) as unknown
    })
    await executor.stop(handle, millis(20_000))
    expect(await executor.wait(handle)).toEqual({ type: 'killed', signal: 'SIGTERM', outOfMemory: false })
  })

  function startAndDie(workload: Workload): RunHandle {
    const program = `
      import { createMachineProvider } from ${JSON.stringify(new URL('../../testing/index.ts', import.meta.url).href)}
      console.log(await createMachineProvider(${JSON.stringify(root)}).open().start(${JSON.stringify(workload)}))
      process.kill(process.pid, 'SIGKILL')`
    const script = join(root, 'daemon.mts')
    execFileSync('sh', ['-c', 'cat > "$0"', script], { input: program })
    try {
      execFileSync(process.execPath, ['--import', import.meta.resolve('tsx'), script], { stdio: ['ignore', 'pipe', 'inherit'] })
    } catch (error) {
      if (error instanceof Error && 'signal' in error && error.signal === 'SIGKILL' && 'stdout' in error) {
        return String(error.stdout).trim() as RunHandle
      }
      throw error
    }
    throw new Error('the process should have killed itself')
  }

  test('dies with its monitor, and is reported as lost', async () => {
    const workload = await provider.workload(machineScript('sleep 600'))
    const handle = await executor.start(workload)
    const machine = (await readIdentity(join(workload.directory, 'microvm/machine.json'))) ?? expect.fail()
    process.kill(await pidOf(workload, 'process'), 'SIGKILL')
    expect(await executor.wait(handle)).toEqual({ type: 'lost', reason: 'its monitor is gone and left no exit status' })
    await expect.poll(() => isAlive(machine)).toBe(false)
  })

  test('leaves nothing behind', async () => {
    const workload = await provider.workload(machineScript('sleep 600'))
    const handle = await executor.start(workload)
    const pids = [await pidOf(workload, 'machine'), await pidOf(workload, 'process')]
    await executor.remove(handle)
    expect(await readdir(workload.directory)).toEqual([])
    expect(await readdir(join(root, 'records'))).toEqual([])
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([])
  })
})
