import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { printed } from '../lab/lab.ts'

/** What a job used, as the kernel counts it. */
export interface Used {
  /** On average, while it was watched. */
  readonly cores: number
  readonly memoryMiB: number
  readonly processes: number
}

interface Sample {
  readonly cpuSeconds: number
  readonly memoryMiB: number
  readonly processes: number
}

const MIB = 2 ** 20

/** Finds the first process of a job; nothing while there is none. */
export type FindProcess = () => Promise<number | undefined>

/** The first process of a container. */
export function containerProcess(allocation: string): FindProcess {
  return async () => {
    const id = (await printed('docker', 'ps', '-q', '--filter', `label=nunet.allocation=${allocation}`)).trim()
    const pid = id === '' ? 0 : Number(await printed('docker', 'inspect', '-f', '{{.State.Pid}}', id))
    return pid > 0 ? pid : undefined
  }
}

/** The first process of a container without a daemon. */
export function monitoredProcess(home: string, allocation: string): FindProcess {
  const path = join(home, 'work', 'jobs', allocation, 'oci', 'container.pid')
  return async () => {
    const pid = Number(await readFile(path, 'utf8').catch(() => '')) // not yet, or no more
    return pid > 0 ? pid : undefined
  }
}

/** The supervisor of a WebAssembly module. */
export function moduleProcess(home: string, allocation: string): FindProcess {
  const path = join(home, 'work', 'jobs', allocation, 'wasm', 'process.json')
  return async () => {
    const text = await readFile(path, 'utf8').catch(() => undefined) // not yet, or no more
    return text === undefined ? undefined : (JSON.parse(text) as { readonly pid: number }).pid
  }
}

/** Watches a job until the signal, or until it is gone. */
export async function watchJob(find: FindProcess, signal: AbortSignal): Promise<Used | undefined> {
  let first: { readonly sample: Sample; readonly at: number } | undefined
  let last: { readonly sample: Sample; readonly at: number } | undefined
  let [memoryMiB, processes] = [0, 0]
  while (!signal.aborted) {
    const pid = await find()
    const sample = pid === undefined ? undefined : await sampleOf(pid)
    // One that is ending has left its groups: its own figures are less than those of all together.
    if (sample !== undefined && sample.cpuSeconds >= (last?.sample.cpuSeconds ?? 0)) {
      last = { sample, at: performance.now() }
      first ??= last
      memoryMiB = Math.max(memoryMiB, sample.memoryMiB)
      processes = Math.max(processes, sample.processes)
    }
    await pause(250, undefined, { signal }).catch(() => undefined) // the end of the watch
  }
  if (first === undefined || last === undefined) return undefined
  const seconds = Math.max(0.25, (last.at - first.at) / 1000)
  return { cores: (last.sample.cpuSeconds - first.sample.cpuSeconds) / seconds, memoryMiB, processes }
}

/** By the control groups of the process; in version 1 each controller has its own. */
async function sampleOf(pid: number): Promise<Sample | undefined> {
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => undefined) // it ended
  if (groups === undefined) return undefined
  const byController = new Map(
    groups
      .trim()
      .split('\n')
      .flatMap((line) => {
        const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
        return controllers.split(',').map((name) => [name, path] as const)
      })
  )
  const read = async (controller: string, file: string): Promise<number | undefined> => {
    const path = byController.get(controller) ?? byController.get('')
    const root = byController.has(controller) ? join('/sys/fs/cgroup', controller) : '/sys/fs/cgroup'
    if (path === undefined || path === '/') return undefined
    const text = await readFile(join(root, path, file), 'utf8').catch(() => undefined) // the other version
    return text === undefined ? undefined : Number(/\d+/.exec(text)?.[0])
  }
  const nanoseconds = await read('cpuacct', 'cpuacct.usage')
  const cpuSeconds = nanoseconds === undefined ? await processSeconds(pid) : nanoseconds / 1e9
  const memory = (await read('memory', 'memory.usage_in_bytes')) ?? (await read('memory', 'memory.current'))
  return {
    cpuSeconds,
    memoryMiB: (memory ?? (await residentBytes(pid))) / MIB,
    processes: (await read('pids', 'pids.current')) ?? 1
  }
}

async function processSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100
}

async function residentBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024
}

/** Bytes of all files below a directory, in MiB. */
export async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  const sizes = entries.map(async (entry) =>
    entry.isFile() ? (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size : 0
  )
  return (await Promise.all(sizes)).reduce<number>((total, size) => total + (size ?? 0), 0) / MIB
}
