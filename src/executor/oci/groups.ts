import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bytes, bytes } from '../../base/index.ts'
import { cgroupName } from '../cgroup.ts'
import type { RunFiles } from './run-files.ts'

const ROOT = '/sys/fs/cgroup'

/** Where the control groups of one container are. */
export interface ContainerGroups {
  /** As the runtime is told. */
  readonly path: string
  /** Files that count processes which the kernel killed for memory, after the end as well. */
  readonly oomFiles: readonly string[]
  /** Directories that the runtime leaves behind. */
  readonly leftovers: readonly string[]
  /** Of CPU, memory and processes; the first is in the given number of units per second. */
  readonly usage: { readonly cpu: string; readonly memory: string; readonly memoryStat: string; readonly pids: string }
  readonly version: 1 | 2
}

/** What a container used so far. */
export interface GroupUsage {
  readonly cpuSeconds: number
  /** Without the page cache that can be given back. */
  readonly memory: Bytes
  readonly pids: number
}

/**
 * The groups of a run on this machine.
 *
 * In version 2 the container's is one deeper: the one above it counts on after the runtime has removed it.
 */
export async function containerGroups(files: RunFiles): Promise<ContainerGroups> {
  const name = cgroupName(files.directory)
  const isUnified = await readFile(join(ROOT, 'cgroup.controllers'), 'utf8').then(
    () => true,
    () => false
  )
  if (isUnified) {
    const at = (file: string): string => join(ROOT, 'nunet', name, 'c', file)
    return {
      path: `/nunet/${name}/c`,
      oomFiles: [join(ROOT, 'nunet', name, 'memory.events')],
      leftovers: [join(ROOT, 'nunet', name)],
      usage: { cpu: at('cpu.stat'), memory: at('memory.current'), memoryStat: at('memory.stat'), pids: at('pids.current') },
      version: 2
    }
  }
  const at = (controller: string, file: string): string => join(ROOT, controller, 'nunet', name, file)
  return {
    path: `/nunet/${name}`,
    oomFiles: [at('memory', 'memory.oom_control')],
    leftovers: [],
    usage: {
      cpu: at('cpuacct', 'cpuacct.usage'),
      memory: at('memory', 'memory.usage_in_bytes'),
      memoryStat: at('memory', 'memory.stat'),
      pids: at('pids', 'pids.current')
    },
    version: 1
  }
}

/** `undefined` when the container does not run. */
export async function readGroups({ usage, version }: ContainerGroups): Promise<GroupUsage | undefined> {
  const [cpu, memory, stat, pids] = await Promise.all(
    [usage.cpu, usage.memory, usage.memoryStat, usage.pids].map((path) => readFile(path, 'utf8').catch(() => ''))
  )
  if (cpu === undefined || cpu === '' || memory === undefined) return undefined
  const cpuSeconds = version === 1 ? Number(cpu) / 1e9 : Number(/^usage_usec (\d+)$/m.exec(cpu)?.[1] ?? 0) / 1e6
  const inactive = Number(/^(?:total_)?inactive_file (\d+)$/m.exec(stat ?? '')?.[1] ?? 0)
  return { cpuSeconds, memory: bytes(Math.max(0, Number(memory) - inactive)), pids: Number(pids) }
}
