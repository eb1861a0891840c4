import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, gibibytes, mebibytes, millis, systemClock } from '../base/index.ts'
import { createHardwareProbe } from './index.ts'

const INTEL = `processor	: 0
vendor_id	: GenuineIntel
model name	: Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz
cpu MHz		: 2899.998
cache size	: 55296 KB
flags		: fpu vme: de

processor	: 1
vendor_id	: GenuineIntel
model name	: Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz
cpu MHz		: 1200.000
cache size	: 55296 KB

`
const ARM = `processor	: 0
BogoMIPS	: 243.75
CPU implementer	: 0x41
CPU part	: 0xd0c

processor	: 1
BogoMIPS	: 243.75
CPU implementer	: 0x41

Hardware	: BCM2835
`
const MEMINFO = 'MemTotal:        4194304 kB\nMemFree:          100000 kB\nMemAvailable:    3145728 kB\n'
const STAT = 'cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 50 0 50 350 50 0 0 0 0 0\n'

describe('the hardware probe', () => {
  let root: string

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'dms-hardware-'))
    await put({ '/proc/cpuinfo': INTEL, '/proc/meminfo': MEMINFO, '/proc/stat': STAT })
  })

  afterEach(async () => {
    await rm(root, { recursive: true })
  })

  async function put(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), content)
    }
  }

  const open = (clock: Clock = systemClock, architecture = 'x64') =>
    createHardwareProbe({ diskPath: join(root, 'work/jobs'), clock, root, architecture })

  /** A clock whose every sleep lets `work` happen instead. */
  const during = (work: () => Promise<void>): Clock => ({ now: () => millis(0), sleep: work })

  test.each(['/proc/cpuinfo', '/proc/meminfo'])('says which file it cannot read: %s', async (path) => {
    await rm(join(root, path))
    await expect(open().capacity()).rejects.toMatchObject({
      code: 'HARDWARE_UNREADABLE',
      kind: 'unavailable',
      message: `${path} cannot be read: is this Linux?`
    })
  })

  test.each([
    ['/proc/cpuinfo', 'lists no processor'],
    ['/proc/meminfo', 'lacks MemTotal']
  ])('does not guess from a %s without content', async (path, message) => {
    await put({ [path]: '\n' })
    await expect(open().capacity()).rejects.toThrow(message)
  })

  test('does not guess from a /proc/stat without content', async () => {
    await put({ '/proc/stat': 'intr 0\n' })
    await expect(open().usage()).rejects.toThrow('has no line for the CPU')
  })

  test('describes an Intel processor by its first entry', async () => {
    expect((await open().capacity()).cpu).toEqual({
      cores: 2,
      threads: 2,
      clockHz: 2_899_998_000,
      model: 'Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz',
      vendor: 'GenuineIntel',
      architecture: 'x86_64',
      cacheBytes: 55_296 * 1024
    })
  })

  test('describes an ARM processor, whose clock is told elsewhere', async () => {
    await put({ '/proc/cpuinfo': ARM, '/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq': '1500000\n' })
    expect((await open(systemClock, 'arm64').capacity()).cpu).toEqual({
      cores: 2,
      threads: 2,
      clockHz: 1_500_000_000,
      model: '',
      vendor: 'ARM',
      architecture: 'aarch64',
      cacheBytes: 0
    })
  })

  test('has the memory of the machine where nothing limits it', async () => {
    expect((await open().capacity()).memory).toBe(gibibytes(4))
    await put({ '/proc/self/cgroup': '4:memory:/\n', '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n' })
    expect((await open().capacity()).memory).toBe(gibibytes(4))
  })

  test('has no more than control groups of version 2 leave, of itself or a parent', async () => {
    await put({
      '/proc/self/cgroup': '0::/nunet.slice/dms.service\n',
      '/sys/fs/cgroup/nunet.slice/cpu.max': '50000 100000\n',
      '/sys/fs/cgroup/nunet.slice/memory.max': 'max\n',
      '/sys/fs/cgroup/nunet.slice/dms.service/cpu.max': 'max 100000\n',
      '/sys/fs/cgroup/nunet.slice/dms.service/memory.max': `${gibibytes(1)}\n`,
      '/sys/fs/cgroup/nunet.slice/dms.service/memory.current': `${mebibytes(300)}\n`,
      '/sys/fs/cgroup/nunet.slice/dms.service/memory.stat': `anon 1\ninactive_file ${mebibytes(100)}\n`
    })
    const { cpu, memory } = await open().capacity()
    expect({ cores: cpu.cores, memory }).toEqual({ cores: 0.5, memory: gibibytes(1) })
    expect((await open(during(async () => undefined)).usage()).memory).toBe(mebibytes(200))
  })

  test('has no more than control groups of version 1 leave', async () => {
    await put({
      '/proc/self/cgroup': '4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n',
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us': '150000\n',
      '/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us': '100000\n',
      '/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes': `${gibibytes(2)}\n`,
      '/sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes': `${mebibytes(50)}\n`
    })
    const { cpu, memory } = await open().capacity()
    expect({ cores: cpu.cores, memory }).toEqual({ cores: 1.5, memory: gibibytes(2) })
    expect((await open(during(async () => undefined)).usage()).memory).toBe(mebibytes(50))
  })

  test('has no more than the machine, whatever a control group says', async () => {
    await put({
      '/proc/self/cgroup': '0::/\n',
      '/sys/fs/cgroup/cpu.max': '800000 100000\n',
      '/sys/fs/cgroup/memory.max': `${gibibytes(64)}\n`
    })
    const { cpu, memory } = await open().capacity()
    expect({ cores: cpu.cores, memory }).toEqual({ cores: 2, memory: gibibytes(4) })
  })

  test('uses the cores that were busy between two looks', async () => {
    // 100 ticks more: 25 busy, 65 idle, 10 waiting for the disk, on 2 processors
    const busy = during(() => put({ '/proc/stat': 'cpu  120 0 105 765 110 0 0 0 0 0\n' }))
    expect((await open(busy).usage()).cpuCores).toBeCloseTo(0.5)
    await put({ '/proc/stat': STAT })
    expect((await open(during(async () => undefined)).usage()).cpuCores).toBe(0)
  })

  test('uses the memory that is not available', async () => {
    expect((await open(during(async () => undefined)).usage()).memory).toBe(gibibytes(1))
  })

  test('measures the file system of the nearest parent that exists', async () => {
    const { disk } = await open().capacity()
    expect(disk.path).toBe(join(root, 'work/jobs'))
    expect(disk.total).toBeGreaterThan(0)
    const used = (await open(during(async () => undefined)).usage()).disk
    expect(used).toBeGreaterThan(0)
    expect(used).toBeLessThanOrEqual(disk.total)
  })

  test('remembers its graphics cards for a minute, and looks again at what they use', async () => {
    await put({
      '/sys/bus/pci/devices/0000:01:00.0/class': '0x030200\n',
      '/sys/bus/pci/devices/0000:01:00.0/vendor': '0x10de\n'
    })
    let asked = 0
    let now = 0
    const clock: Clock = { now: () => millis(now), sleep: async () => undefined }
    const run = async (): Promise<string> => {
      asked += 1
      return `00000000:01:00.0, GPU-5c7b8e0a-1111, 16384, ${asked * 100}, Tesla T4\n`
    }
    const probe = createHardwareProbe({ diskPath: root, clock, root, run, architecture: 'x64' })
    await Promise.all([probe.capacity(), probe.capacity()])
    expect((await probe.usage()).gpus[0]?.vramUsed).toBe(mebibytes(200))
    expect(asked).toBe(2)
    now = 61_000
    expect((await probe.capacity()).gpus).toMatchObject([{ model: 'Tesla T4', vram: mebibytes(16_384) }])
    expect(asked).toBe(3)
  })
})

describe.skipIf(process.platform !== 'linux')('the hardware probe on this machine (skipped: other than Linux)', () => {
  const probe = createHardwareProbe({ diskPath: tmpdir(), clock: systemClock })

  test('agrees with what Node says', async () => {
    const { cpu, memory, disk } = await probe.capacity()
    expect(cpu.cores).toBeGreaterThan(0)
    expect(cpu.threads).toBeGreaterThanOrEqual(availableParallelism())
    expect(['x86_64', 'aarch64']).toContain(cpu.architecture)
    expect(memory).toBeGreaterThan(mebibytes(64))
    expect(memory).toBeLessThanOrEqual(totalmem())
    expect(disk.total).toBeGreaterThan(0)
  })

  test('uses no more than there is', async () => {
    const { cpu, memory, disk } = await probe.capacity()
    const usage = await probe.usage()
    expect(usage.cpuCores).toBeGreaterThanOrEqual(0)
    expect(usage.cpuCores).toBeLessThanOrEqual(cpu.cores)
    expect(usage.memory).toBeGreaterThan(0)
    expect(usage.memory).toBeLessThanOrEqual(memory)
    expect(usage.disk).toBeLessThanOrEqual(disk.total)
  })
})
