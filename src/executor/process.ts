import { readFile } from 'node:fs/promises'
import { type Bytes, bytes } from '../base/index.ts'

/** Names one process for ever: process ids are used again, also after a restart of the machine. */
export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of `/proc/<pid>/stat`: clock ticks between the start of the machine and that of the process. */
  readonly startTime: string
  readonly bootId: string
}

/** What a process used so far. */
export interface ProcessUsage {
  readonly cpuTicks: number
  readonly memory: Bytes
}

/** Clock ticks per second of `/proc`: 100 on every Linux that Node runs on. */
export const TICKS_PER_SECOND = 100
const PAGE = 4096

/** The text that names the current run of the kernel. */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}

/** Whether the process still runs; a zombie does not. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const fields = await statFields(identity.pid)
  if (fields === undefined || (await readBootId()) !== identity.bootId) return false
  return fields[19] === identity.startTime && fields[0] !== 'Z' && fields[0] !== 'X'
}

/** Sends the signal unless the process has ended. */
export async function signalProcess(identity: ProcessIdentity, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (!(await isAlive(identity))) return
  try {
    process.kill(identity.pid, signal)
  } catch {
    // it ended between the look and the signal: what was wanted
  }
}

/** What the process used so far; `undefined` once it ended. */
export async function readProcessUsage(identity: ProcessIdentity): Promise<ProcessUsage | undefined> {
  const fields = await statFields(identity.pid)
  if (fields === undefined || fields[19] !== identity.startTime) return undefined
  return { cpuTicks: Number(fields[11]) + Number(fields[12]), memory: bytes(Number(fields[21]) * PAGE) }
}

/** Fields 3 and following of `/proc/<pid>/stat`; the second one, the name, may contain anything. */
async function statFields(pid: number): Promise<string[] | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined // no such process
  }
}
