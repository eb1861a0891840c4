import { dirname, join } from 'node:path'
import { type Bytes, bytes } from '../base/index.ts'
import { readInteger, type SystemFiles } from './system-files.ts'

/** What control groups leave of the machine to this process; `undefined` members are not limited. */
export interface CgroupLimits {
  readonly cpuCores: number | undefined
  readonly memory: Bytes | undefined
  /** What the group that limits the memory uses of it, without the page cache. */
  readonly memoryUsed: Bytes | undefined
}

interface Groups {
  readonly cpu: readonly string[]
  readonly memory: readonly string[]
}

const MOUNT = '/sys/fs/cgroup'

/**
 * Reads the limits of the groups that this process is in, of version 1 and version 2; the smallest of a group and all its
 * parents counts.
 */
export async function readCgroupLimits(files: SystemFiles): Promise<CgroupLimits> {
  const groups = parseGroups((await files.text('/proc/self/cgroup')) ?? '')
  const cores = await Promise.all(groups.cpu.map((group) => cpuLimit(files, group)))
  const memories = await Promise.all(groups.memory.map((group) => memoryLimit(files, group)))
  const memory = memories.filter((limit) => limit !== undefined).sort((a, b) => a.limit - b.limit)[0]
  return { cpuCores: smallest(cores), memory: memory?.limit, memoryUsed: memory?.used }
}

/** The directories of a process's groups with all their parents, from the lines `number:controllers:path`. */
function parseGroups(content: string): Groups {
  const cpu = new Set<string>()
  const memory = new Set<string>()
  for (const line of content.split('\n')) {
    const parts = /^\d+:([^:]*):(\/.*)$/.exec(line)
    if (parts === null) continue
    const [, controllers = '', path = ''] = parts
    const names = controllers.split(',')
    // in version 2 one group has all controllers, in version 1 each is mounted under its own names
    if (controllers === '' || names.includes('cpu')) addWithParents(cpu, controllers, path)
    if (controllers === '' || names.includes('memory')) addWithParents(memory, controllers, path)
  }
  return { cpu: [...cpu], memory: [...memory] }
}

function addWithParents(groups: Set<string>, controllers: string, path: string): void {
  for (let group = path; ; group = dirname(group)) {
    groups.add(join(MOUNT, controllers, group))
    if (group === '/') return
  }
}

async function cpuLimit(files: SystemFiles, group: string): Promise<number | undefined> {
  const [quota, period] = /^(\d+) (\d+)$/.exec((await files.text(join(group, 'cpu.max')))?.trim() ?? '')?.slice(1) ?? []
  if (quota !== undefined) return Number(quota) / Number(period)
  const quotaV1 = await readInteger(files, join(group, 'cpu.cfs_quota_us')) // -1, which is no limit, is not read
  const periodV1 = await readInteger(files, join(group, 'cpu.cfs_period_us'))
  return quotaV1 === undefined || periodV1 === undefined ? undefined : quotaV1 / periodV1
}

async function memoryLimit(files: SystemFiles, group: string): Promise<{ limit: Bytes; used: Bytes | undefined } | undefined> {
  const limit =
    (await readInteger(files, join(group, 'memory.max'))) ?? (await readInteger(files, join(group, 'memory.limit_in_bytes')))
  if (limit === undefined || limit > Number.MAX_SAFE_INTEGER) return undefined // version 1 writes "no limit" as almost 2^63
  return { limit: bytes(limit), used: await memoryUsed(files, group) }
}

/** Without the page cache that the kernel can take back, as `MemAvailable` counts it for the whole machine. */
async function memoryUsed(files: SystemFiles, group: string): Promise<Bytes | undefined> {
  const used =
    (await readInteger(files, join(group, 'memory.current'))) ?? (await readInteger(files, join(group, 'memory.usage_in_bytes')))
  const stat = (await files.text(join(group, 'memory.stat'))) ?? ''
  const cache = /^total_inactive_file (\d+)$/m.exec(stat)?.[1] ?? /^inactive_file (\d+)$/m.exec(stat)?.[1] ?? 0
  return used === undefined ? undefined : bytes(Math.max(0, used - Number(cache)))
}

function smallest(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce(
    (least, value) => (value === undefined || (least !== undefined && least <= value) ? least : value),
    undefined
  )
}
