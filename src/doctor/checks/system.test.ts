import { describe, expect, test } from 'vitest'
import { millis } from '../../base/index.ts'
import { bad, brief, NOW, type Recording, recordedSystem, subjectOf } from '../fixtures.ts'
import type { DockerAnswer } from '../types.ts'
import { type DeviceFacts, devices, judgeDevices } from './devices.ts'
import { executors, judgeDocker, judgePlugin, judgeWasm } from './executors.ts'
import { judgeLimits } from './limits.ts'
import { platform } from './platform.ts'
import { judgeService, service } from './service.ts'
import { judgeTime, time } from './time.ts'

const CGROUP2 = { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory' }

describe('the system', () => {
  const findingsOf = async (recording: Recording) => platform.run(await subjectOf(recording))
  const process = recordedSystem({}).process

  test.each<[string, Recording, string]>([
    [
      'another operating system',
      { system: { process: { ...process, platform: 'darwin' } } },
      'problem operating system: darwin 6.1.0 on x64'
    ],
    [
      'an untested processor',
      { system: { process: { ...process, architecture: 'riscv64' } } },
      'warning operating system: linux 6.1.0 on riscv64'
    ],
    ['an old Node', { system: { process: { ...process, nodeVersion: '20.18.3' } } }, 'problem Node: 20.18.3'],
    [
      'a Node without support',
      { system: { process: { ...process, nodeVersion: '20.19.0' } } },
      'warning Node: 20.19.0, which gets no security fixes any more'
    ],
    ['missing control groups', {}, 'warning control groups: not mounted'],
    [
      'WSL',
      { texts: { '/proc/version': 'Linux version 5.15 (Microsoft@Microsoft.com)' } },
      'warning surroundings: Windows Subsystem for Linux'
    ],
    ['a container', { texts: { '/.dockerenv': '' } }, 'warning surroundings: a container'],
    ['a container by its groups', { texts: { '/proc/1/cgroup': '0::/docker/abc\n' } }, 'warning surroundings: a container']
  ])('has %s', async (_, recording, expected) => {
    expect(bad(await findingsOf(recording))).toContain(expected)
  })

  test('in good order is told with what it is', async () => {
    const texts = {
      ...CGROUP2,
      '/proc/cpuinfo': 'flags\t\t: fpu hypervisor sse\n',
      '/sys/class/dmi/id/product_name': 'KVM\n',
      '/proc/meminfo': 'SwapTotal:  2097152 kB\n'
    }
    const findings = await findingsOf({ texts })
    expect(bad(findings)).toEqual([])
    expect(brief(findings)).toContain('ok surroundings: virtual machine KVM')
    expect(brief(findings)[3]).toContain('2 GiB; keys in memory may get there')
  })
})

describe('Docker', () => {
  const socket = '/var/run/docker.sock'
  const file = { type: 'socket', mode: 0o660, uid: 0, gid: 998, modifiedAt: NOW } as const
  const silent: DockerAnswer = { available: false, reason: 'Docker does not answer at /var/run/docker.sock: ECONNREFUSED' }
  const working = {
    available: true,
    version: '27.0',
    storageDriver: 'overlay2',
    backingFileSystem: 'extfs',
    isRootless: true,
    hasUserNamespaces: false,
    cgroupVersion: '2'
  } as const

  test('that is missing is to be installed', () => {
    const [finding] = judgeDocker({ socket, mayUse: false, answer: silent })
    expect(finding).toMatchObject({
      verdict: 'warning',
      found: `there is no ${socket}`,
      command: expect.stringContaining('docker.io') as string
    })
  })

  test('that may not be used names the group of its socket', async () => {
    const recording = { texts: { '/etc/group': 'root:x:0:\nmydocker:x:998:\n' }, files: { [socket]: file } }
    const subject = await subjectOf(recording)
    const findings = await executors.run({ ...subject, executors: { ...subject.executors, docker: async () => silent } })
    expect(findings[0]).toMatchObject({ verdict: 'warning', command: 'sudo usermod -aG mydocker "$USER"' })
  })

  test('that does not answer is to be started', () => {
    expect(judgeDocker({ socket, file, mayUse: true, answer: silent })[0]).toMatchObject({
      command: 'sudo systemctl start docker'
    })
  })

  test('on another machine is refused', async () => {
    const subject = await subjectOf({})
    const dockerSocket = () => {
      throw new Error('DOCKER_HOST is "tcp://x", only unix:///path is supported')
    }
    const findings = await executors.run({ ...subject, executors: { ...subject.executors, dockerSocket } })
    expect(bad(findings)).toEqual(['warning Docker: DOCKER_HOST is "tcp://x", only unix:///path is supported'])
  })

  test.each([
    ['overlay2', 'extfs', 'warning storage of containers: overlay2 over extfs: what a container writes cannot be limited'],
    [
      'overlay2',
      'xfs',
      'ok storage of containers: overlay2 over xfs; the disk of jobs is limited where XFS is mounted with pquota'
    ],
    ['btrfs', '', 'ok storage of containers: btrfs']
  ])('that works says whether disks can be limited: %s over %s', (storageDriver, backingFileSystem, expected) => {
    const findings = judgeDocker({ socket, file, mayUse: true, answer: { ...working, storageDriver, backingFileSystem } })
    expect(brief(findings)).toEqual(['ok Docker: 27.0, rootless, control groups 2', expected])
  })

  test('is not needed for WebAssembly, which needs /proc', () => {
    expect(judgeWasm({ available: false, reason: 'no /proc' })).toMatchObject({ verdict: 'warning', found: 'no /proc' })
  })
})

describe('devices', () => {
  const good: DeviceFacts = {
    uid: 1000,
    hasTun: true,
    mayUseTun: true,
    hasNetAdmin: true,
    hasIp: true,
    hasNft: true,
    iptables: 'iptables v1.8.9 (nf_tables)',
    hasKvm: true,
    mayUseKvm: true,
    userNamespaces: 'allowed'
  }
  const { iptables: _, ...withoutIptables } = good

  test.each<[DeviceFacts, readonly string[]]>([
    [good, []],
    [{ ...good, hasTun: false }, ['warning TUN: /dev/net/tun is missing']],
    [{ ...good, mayUseTun: false }, ['warning TUN: /dev/net/tun may not be opened by this user']],
    [
      { ...good, hasNetAdmin: false },
      [
        'warning TUN: /dev/net/tun, but this process lacks CAP_NET_ADMIN',
        'warning nft: installed, but this process lacks CAP_NET_ADMIN'
      ]
    ],
    [{ ...good, hasNft: false }, ['warning nft: not installed']],
    [{ ...good, hasIp: false }, ['warning ip: not installed']],
    [withoutIptables, ['warning iptables: not installed']],
    [
      { ...good, iptables: 'iptables v1.8.9 (legacy)' },
      ['warning iptables: iptables v1.8.9 (legacy): rules of Docker and of this program may not see each other']
    ],
    [{ ...good, hasKvm: false }, []],
    [{ ...good, mayUseKvm: false }, ['warning KVM: /dev/kvm may not be opened by this user']],
    [{ ...good, userNamespaces: 'forbidden' }, ['warning user namespaces: forbidden']]
  ])('are judged: %#', (facts, expected) => {
    expect(bad(judgeDevices(facts))).toEqual(expected)
  })

  test('are read from files of the kernel', async () => {
    const recording = {
      texts: { '/proc/self/status': 'CapEff:\t0000000000001000\n', '/proc/sys/kernel/unprivileged_userns_clone': '0\n' },
      files: { '/dev/net/tun': { type: 'device' }, '/dev/kvm': { type: 'device' } },
      writable: ['/dev/net/tun'],
      programs: {
        ip: { code: 0, stdout: '' },
        iptables: { code: 0, stdout: 'iptables v1.8.9 (nf_tables)\nx' },
        nft: { code: 0, stdout: '' }
      }
    } as const
    expect(brief(await devices.run(await subjectOf(recording)))).toEqual([
      'ok TUN: /dev/net/tun, with CAP_NET_ADMIN',
      'ok ip: installed',
      'ok iptables: iptables v1.8.9 (nf_tables)',
      'ok nft: installed, with CAP_NET_ADMIN',
      'warning KVM: /dev/kvm may not be opened by this user',
      'warning user namespaces: forbidden'
    ])
  })
})

describe('the clock', () => {
  const now = NOW

  test.each([
    [{ now: millis(0) }, 'problem time: 1970-01-01T00:00Z, which cannot be right'],
    [{ now: millis(Date.UTC(2101, 0, 1)) }, 'problem time: 2101-01-01T00:00Z, which cannot be right'],
    [
      { now, newestFile: millis(now + 3_600_000) },
      'problem time: 2026-06-01T00:00Z, but a key or context was written at 2026-06-01T01:00Z'
    ],
    [{ now, isSynchronized: false }, 'warning time: 2026-06-01T00:00Z, not synchronised'],
    [{ now, isSynchronized: true, newestFile: now }, 'ok time: 2026-06-01T00:00Z, synchronised']
  ])('is judged: %#', (facts, expected) => {
    expect(brief(judgeTime(facts))).toEqual([expected])
  })

  test('is asked of timedatectl, and compared with the files of the user directory', async () => {
    const timedatectl = { code: 0, stdout: 'no\n' }
    expect(bad(await time.run(await subjectOf({ programs: { timedatectl } })))).toEqual([
      'warning time: 2026-06-01T00:00Z, not synchronised'
    ])
    const files = { '/home/owner/.nunet/key/dms.json': { modifiedAt: millis(NOW + 86_400_000) } }
    expect(bad(await time.run(await subjectOf({ files })))).toHaveLength(1)
    expect(brief(await time.run(await subjectOf({})))[0]).toMatch(/^skipped /)
  })
})

describe('the service', () => {
  const unit = (properties: Record<string, string>) => [
    { name: 'nunet.service', properties: { LoadState: 'loaded', ...properties } }
  ]

  test.each([
    [
      unit({ ActiveState: 'failed', Result: 'exit-code', UnitFileState: 'enabled' }),
      ['problem nunet.service: failed: exit-code']
    ],
    [unit({ SubState: 'auto-restart', NRestarts: '7' }), ['problem nunet.service: ends again and again (7 restarts)']],
    [
      unit({ ActiveState: 'active', SubState: 'running', UnitFileState: 'disabled' }),
      ['warning nunet.service: not started with the machine']
    ],
    [unit({ ActiveState: 'active', SubState: 'running', UnitFileState: 'enabled' }), []],
    [[{ name: 'nunet.service', properties: { LoadState: 'not-found' } }], []],
    [undefined, []]
  ])('is judged: %#', (units, expected) => {
    expect(bad(judgeService(units))).toEqual(expected)
  })

  test('is asked of systemctl where systemd runs', async () => {
    const recording = {
      texts: { '/run/systemd/system/x': '' },
      programs: {
        systemctl: {
          code: 0,
          stdout: 'LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nMemoryMax=1073741824\n'
        }
      }
    }
    expect(brief(await service.run(await subjectOf(recording)))[0]).toBe(
      'ok nunet.service: active (running), enabled, at most 1024 MiB of memory'
    )
    expect(brief(await service.run(await subjectOf({})))[0]).toMatch(/^skipped systemd/)
  })
})

describe('limits', () => {
  const text = (files: string, core: string) =>
    `Limit                     Soft Limit           Hard Limit           Units\nMax core file size        ${core}                    unlimited            bytes\nMax open files            ${files}                1048576              files\n`

  test.each([
    [text('512', '0'), ['warning open files: 512 for the daemon, 768 may be needed']],
    [text('1024', 'unlimited'), ['warning core dumps: on for the daemon: a crash may write keys from its memory to the disk']],
    [text('unlimited', '0'), []]
  ])('are judged: %#', (limitsText, expected) => {
    expect(bad(judgeLimits({ owner: 'the daemon', text: limitsText, peerFiles: 512 }))).toEqual(expected)
  })
})

test('a plugin that may not be loaded is a warning with its reason, another says what it adds', () => {
  expect(judgePlugin({ name: '@acme/x', refusal: 'there is no /x' })).toMatchObject({
    verdict: 'warning',
    found: 'there is no /x'
  })
  expect(judgePlugin({ name: '@acme/x', version: '1.0.0', executors: ['echo'] })).toMatchObject({
    verdict: 'ok',
    found: '1.0.0, adds echo'
  })
})
