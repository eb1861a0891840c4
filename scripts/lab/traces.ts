import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { printed } from './lab.ts'

/** What of a provider is to be seen on this machine from outside; each a list of short lines. */
export interface Traces {
  readonly processes: readonly string[]
  readonly containers: readonly string[]
  readonly mounts: readonly string[]
  readonly interfaces: readonly string[]
  readonly controlGroups: readonly string[]
  readonly loopDevices: readonly string[]
  readonly jobFiles: readonly string[]
}

/** Which provider is looked at. */
export interface TraceSubject {
  /** Its directory: what names it belongs to the provider. */
  readonly home: string
  readonly peerId: string
  /** Its daemon, whose own threads and helpers are no trace of a job. */
  readonly daemon: number | undefined
}

/** Looks at everything that jobs can leave behind. */
export async function readTraces(subject: TraceSubject): Promise<Traces> {
  const [processes, containers, mounts, interfaces, controlGroups, loopDevices, jobFiles] = await Promise.all([
    readProcesses(subject),
    readContainers(subject),
    readMounts(subject),
    readInterfaces(),
    readControlGroups(),
    readLoopDevices(subject),
    readJobFiles(subject)
  ])
  return { processes, containers, mounts, interfaces, controlGroups, loopDevices, jobFiles }
}

/** What is there now and was not before, by kind; empty when nothing is left. */
export function leftovers(before: Traces, after: Traces): readonly string[] {
  return (Object.keys(after) as (keyof Traces)[]).flatMap((kind) => {
    const known = new Set(before[kind])
    return after[kind].filter((line) => !known.has(line)).map((line) => `${kind}: ${line}`)
  })
}

async function readProcesses({ home, daemon }: TraceSubject): Promise<string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === daemon || Number(pid) === process.pid) continue
    const [command, directory] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''), // it ended meanwhile
      readlink(`/proc/${pid}/cwd`).catch(() => '')
    ])
    const line = command.replaceAll('\0', ' ').trim()
    const isClient = line.includes('bin/nunet') && !line.includes('runner.mjs') // commands of the owner, and the daemons
    if ((line.includes(home) || directory.startsWith(home)) && !isClient) found.push(`${pid} ${line.slice(0, 120)}`)
  }
  return found
}

async function readContainers({ peerId }: TraceSubject): Promise<string[]> {
  const text = await printed('docker', 'ps', '-a', '--filter', `label=nunet.node=${peerId}`, '--format', '{{.Names}} {{.Status}}')
  return lines(text)
}

async function readMounts({ home }: TraceSubject): Promise<string[]> {
  return lines(await readFile('/proc/self/mounts', 'utf8')).filter((line) => line.includes(home))
}

async function readInterfaces(): Promise<string[]> {
  return await readdir('/sys/class/net')
}

async function readControlGroups(): Promise<string[]> {
  const roots = ['/sys/fs/cgroup', ...(await readdir('/sys/fs/cgroup')).map((name) => join('/sys/fs/cgroup', name))]
  const groups = await Promise.all(roots.map((root) => readdir(join(root, 'nunet'), { withFileTypes: true }).catch(() => [])))
  return groups.flatMap((entries, index) =>
    entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${roots[index] ?? ''}/nunet/${name}`)
  )
}

async function readLoopDevices({ home }: TraceSubject): Promise<string[]> {
  return lines(await printed('losetup', '-a')).filter((line) => line.includes(home))
}

/** Records of executors and the private directories of jobs; output that waits for its deployer is theirs to fetch. */
async function readJobFiles({ home }: TraceSubject): Promise<string[]> {
  const records = ['wasm', join('microvm', 'workloads'), join('oci', 'workloads'), join('oci', 'runtime')].map((name) =>
    join(home, 'data', name)
  )
  const directories = [...records, join(home, 'work', 'jobs'), join(home, 'work', 'images', 'leases')]
  const names = await Promise.all(directories.map((directory) => readdir(directory).catch(() => [] as string[])))
  return names.flatMap((entries, index) => entries.map((name) => `${directories[index] ?? ''}/${name}`))
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}
