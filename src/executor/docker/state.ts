import { constants } from 'node:os'
import { type Bytes, bytes, isJsonObject, type JsonValue } from '../../base/index.ts'
import type { ExitStatus, WorkloadUsage } from '../executor.ts'
import { ALLOCATION_LABEL, DISK_LABEL, NODE_LABEL } from './container.ts'

/** What `GET /containers/<id>/json` says, as far as it is used. */
export interface ContainerState {
  readonly id: string
  readonly status: 'created' | 'active' | 'ended'
  readonly exitCode: number
  readonly outOfMemory: boolean
  /** Labels `nunet.node` and `nunet.allocation`; empty texts when it has none. */
  readonly node: string
  readonly allocation: string
  /** What it may write where Docker does not limit it; from its label. */
  readonly disk?: Bytes
  /** Where overlay2 keeps what it writes; other storage drivers have no such place. */
  readonly upperDirectory?: string
}

type Fields = { readonly [name: string]: JsonValue }

function object(value: unknown): Fields {
  return isJsonObject(value) ? value : {}
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}

function number(value: JsonValue | undefined): number {
  return typeof value === 'number' ? value : 0
}

/** Reads an inspection; `undefined` when it is none. */
export function parseContainerState(body: unknown): ContainerState | undefined {
  const container = object(body)
  const state = object(container['State'])
  const labels = object(object(container['Config'])['Labels'])
  const id = text(container['Id'])
  const disk = text(labels[DISK_LABEL])
  const upper = text(object(object(container['GraphDriver'])['Data'])['UpperDir'])
  if (id === '') return undefined
  return {
    id,
    status: statusOf(text(state['Status'])),
    exitCode: number(state['ExitCode']),
    outOfMemory: state['OOMKilled'] === true,
    node: text(labels[NODE_LABEL]),
    allocation: text(labels[ALLOCATION_LABEL]),
    ...(/^[1-9]\d{0,15}$/.test(disk) ? { disk: bytes(Number(disk)) } : {}),
    ...(upper === '' ? {} : { upperDirectory: upper })
  }
}

function statusOf(status: string): ContainerState['status'] {
  if (status === 'created') return 'created'
  return status === 'exited' || status === 'dead' ? 'ended' : 'active'
}

/** Reads a list of containers; what is not one of ours is left out. */
export function parseContainerList(body: unknown): readonly { readonly id: string; readonly allocation: string }[] {
  if (!Array.isArray(body)) return []
  return body
    .map((item: unknown) => {
      const container = object(item)
      return { id: text(container['Id']), allocation: text(object(container['Labels'])[ALLOCATION_LABEL]) }
    })
    .filter(({ id, allocation }) => id !== '' && allocation !== '')
}

/**
 * How an ended container ended.
 *
 * Docker keeps only the exit code; its init process turns the signal n of the program into the code 128 + n, as shells do.
 */
export function exitStatusOf({ exitCode, outOfMemory }: ContainerState): ExitStatus {
  if (outOfMemory && exitCode !== 0) return { type: 'killed', signal: 'SIGKILL', outOfMemory: true }
  const signal = Object.entries(constants.signals).find(([, value]) => value === exitCode - 128)?.[0]
  if (signal !== undefined) return { type: 'killed', signal, outOfMemory: false }
  return { type: 'exited', code: exitCode }
}

/** What a container used at one moment. */
export interface UsageSample {
  /** Since its start. */
  readonly cpuNanos: number
  /** Without the page cache that can be given back. */
  readonly memory: Bytes
  /** Nanoseconds since the epoch, by the daemon's clock. */
  readonly at: number
}

/** Reads a one-shot of `GET /containers/<id>/stats`; `undefined` for a container that does not run. */
export function parseUsage(body: unknown): UsageSample | undefined {
  const stats = object(body)
  const memory = object(stats['memory_stats'])
  if (number(memory['usage']) === 0) return undefined
  const cache = object(memory['stats'])
  const inactive = number(cache['total_inactive_file'] ?? cache['inactive_file']) // names of cgroup v1 and v2
  return {
    cpuNanos: number(object(object(stats['cpu_stats'])['cpu_usage'])['total_usage']),
    memory: bytes(Math.max(0, number(memory['usage']) - inactive)),
    at: Date.parse(text(stats['read'])) * 1e6
  }
}

/** The use between two samples; CPU in percent of one core. */
export function usageBetween(first: UsageSample, second: UsageSample): WorkloadUsage {
  const elapsed = second.at - first.at
  const used = second.cpuNanos - first.cpuNanos
  return { memory: second.memory, ...(elapsed > 0 && used >= 0 ? { cpuPercent: (used / elapsed) * 100 } : {}) }
}
