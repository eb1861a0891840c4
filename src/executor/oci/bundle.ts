import { stat } from 'node:fs/promises'
import { mebibytes } from '../../base/index.ts'
import type { Workload } from '../executor.ts'
import { seccompProfile } from './seccomp.ts'
import type { User } from './users.ts'

/** The version of the runtime specification that is spoken. */
const OCI_VERSION = '1.0.2'
/** What images of servers need to begin as root and go on as somebody else; the same as containers of Docker have. */
const CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_NET_BIND_SERVICE',
  'CAP_SETGID',
  'CAP_SETUID'
]
const MASKED_PATHS: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware'
]
const READ_ONLY_PATHS: readonly string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']
const MOST_SHARED_MEMORY = mebibytes(64)
const PERIOD_US = 100_000
const LEAST_QUOTA_US = 1000
/** Above the daemon's, so that the kernel ends a container first when the machine runs out of memory. */
const OOM_SCORE = 500
/** Where the first process lies that passes signals on and buries the dead, when this machine has one. */
const INIT_INSIDE = '/.nunet/init'

/** Replaced by the monitor. */
export const NETWORK_PLACE = '@network@'

/** What the container is made of, besides its workload. */
export interface BundleParts {
  readonly args: readonly string[]
  readonly environment: readonly string[]
  readonly workingDirectory: string
  readonly user: User
  readonly hostName: string
  readonly isReadOnly: boolean
  /** Absolute, below the groups of this program. */
  readonly cgroup: string
  /** A static program on this machine that is a first process. */
  readonly init?: string
}

/** A device node of this machine that a container gets. */
interface DeviceNode {
  readonly path: string
  readonly major: number
  readonly minor: number
  readonly gid: number
}

/**
 * The `config.json` of a container: every limit set, few capabilities, no way to gain more, the default kind of system calls.
 *
 * Its network namespace is that of its monitor, which puts its own in the place of {@link NETWORK_PLACE}: without a name for it a
 * later command inside would run in the network of the machine.
 */
export async function bundleConfig(workload: Workload, parts: BundleParts): Promise<Readonly<Record<string, unknown>>> {
  const devices = await deviceNodes(workload)
  return {
    ociVersion: OCI_VERSION,
    hostname: parts.hostName,
    root: { path: 'rootfs', readonly: parts.isReadOnly },
    process: processOf(parts, devices),
    mounts: [...systemMounts(workload), ...ownMounts(workload, parts)],
    linux: {
      cgroupsPath: parts.cgroup,
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
        { type: 'network', path: NETWORK_PLACE }
      ],
      resources: resourcesOf(workload, devices),
      devices: devices.map(({ path, major, minor, gid }) => ({ path, type: 'c', major, minor, fileMode: 0o660, uid: 0, gid })),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READ_ONLY_PATHS,
      seccomp: seccompProfile(process.arch)
    }
  }
}

function processOf(parts: BundleParts, devices: readonly DeviceNode[]): Readonly<Record<string, unknown>> {
  const { args, environment, workingDirectory, user, init } = parts
  const { uid, gid, additionalGids } = user
  const groups = new Set([...additionalGids, ...devices.map((device) => device.gid).filter((group) => group !== 0)])
  return {
    terminal: false,
    user: { uid, gid, umask: 0o022, additionalGids: [...groups] },
    args: init === undefined ? args : [INIT_INSIDE, '--', ...args],
    env: environment,
    cwd: workingDirectory,
    capabilities: Object.fromEntries(
      ['bounding', 'effective', 'permitted'].map((set) => [set, set === 'bounding' || uid === 0 ? CAPABILITIES : []])
    ),
    rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }],
    noNewPrivileges: true,
    oomScoreAdj: OOM_SCORE
  }
}

function systemMounts({ limits }: Workload): readonly unknown[] {
  const shared = Math.min(MOST_SHARED_MEMORY, limits.memory)
  const safe = ['nosuid', 'noexec', 'nodev']
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: safe },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']
    },
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...safe, 'mode=1777', `size=${shared}`] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: safe },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...safe, 'ro'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...safe, 'relatime', 'ro'] }
  ]
}

function ownMounts({ mounts = [] }: Workload, { init }: BundleParts): readonly unknown[] {
  const bind = (source: string, destination: string, isReadOnly: boolean): unknown => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate', 'nosuid', 'nodev', isReadOnly ? 'ro' : 'rw']
  })
  return [
    ...mounts.map(({ source, target, isReadOnly }) => bind(source, target, isReadOnly)),
    ...(init === undefined ? [] : [bind(init, INIT_INSIDE, true)])
  ]
}

function resourcesOf({ limits }: Workload, devices: readonly DeviceNode[]): Readonly<Record<string, unknown>> {
  return {
    memory: { limit: limits.memory, swap: limits.memory }, // the sum of both: no swap
    cpu: { quota: Math.max(LEAST_QUOTA_US, Math.round(limits.cpuCores * PERIOD_US)), period: PERIOD_US },
    pids: { limit: limits.pids },
    devices: [
      { allow: false, access: 'rwm' },
      ...devices.map(({ major, minor }) => ({ allow: true, type: 'c', major, minor, access: 'rw' }))
    ]
  }
}

async function deviceNodes({ gpus = [] }: Workload): Promise<readonly DeviceNode[]> {
  const paths = [...new Set(gpus.flatMap(({ devices }) => devices))]
  return await Promise.all(
    paths.map(async (path) => {
      const { rdev, gid } = await stat(path)
      return { path, ...numbersOf(rdev), gid }
    })
  )
}

/** As glibc's `gnu_dev_major` and `gnu_dev_minor` have it. */
function numbersOf(device: number): { readonly major: number; readonly minor: number } {
  const number = BigInt(device)
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n)
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n)
  return { major: Number(major), minor: Number(minor) }
}
