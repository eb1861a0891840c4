import type { Workload, WorkloadGpu } from '../executor.ts'
import type { ContainerCommand } from '../preparation.ts'
import type { DockerSpec } from './spec.ts'

/** The labels by which a restarted daemon finds its containers: which node's, which allocation's. */
export const NODE_LABEL = 'nunet.node'
export const ALLOCATION_LABEL = 'nunet.allocation'
/** What it may write, in bytes, where this driver has to see to it. */
export const DISK_LABEL = 'nunet.disk'

/**
 * How much of its output is kept of a container: two files of 64 MB. What a job may have captured of a
 * stream (16 MiB) fits even as short lines, so that a restarted daemon finds all that it has not read yet.
 */
const LOG_CONFIG = { Type: 'json-file', Config: { 'max-size': '64m', 'max-file': '2' } }
/** What images of servers need to begin as root and go on as somebody else; all else that Docker would give is taken away. */
const CAPABILITIES: readonly string[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETUID'
]
/** Above the daemon's, so that the kernel ends a container first when the machine runs out of memory. */
const OOM_SCORE = 500

/** What `POST /containers/create` takes, as far as it is used. */
export interface ContainerConfig {
  readonly [field: string]: unknown
  readonly HostConfig: { readonly [field: string]: unknown }
}

/** Labels of the container of one allocation: ours, and those of the reference for tools that look for them (C §10.1). */
export function containerLabels(nodeId: string, allocationId: string): Readonly<Record<string, string>> {
  return {
    [NODE_LABEL]: nodeId,
    [ALLOCATION_LABEL]: allocationId,
    'nunet-executor': nodeId,
    'nunet-jobID': `${nodeId}_${allocationId}`,
    'nunet-executionID': `${nodeId}_${allocationId}_${allocationId}`
  }
}

/** So much of a node's id in a name: of two peer ids, which end in a hash, this part is never the same. */
const NODE_PART = 12

/** The name of the container of one allocation of one node: nodes that share a Docker daemon do not get in each other's way. */
export function containerName(nodeId: string, allocationId: string): string {
  return `${allocationId}.${nodeId.slice(-NODE_PART)}`
}

/** The name under which earlier releases started it: the same for every node. Docker wants two characters. */
export function formerContainerName(allocationId: string): string {
  return allocationId.length > 1 ? allocationId : `nunet-${allocationId}`
}

/**
 * The container of a workload: every limit set, few capabilities, no way to gain more.
 *
 * The only exception is `privileged`, which has been checked against what the owner allows. `withDiskLimit` adds the size of
 * the container's own file system, which only some storage drivers can keep (overlay2 on XFS with project quotas, btrfs, zfs).
 */
export function containerConfig(
  workload: Workload,
  spec: DockerSpec,
  options: {
    readonly nodeId: string
    /** `none`, `bridge`, or the name of a network. */
    readonly networkMode: string
    readonly withDiskLimit: boolean
    /** What runs instead of what description and image say: the scripts first. */
    readonly command?: ContainerCommand | undefined
    /** Groups of this machine that own the devices of the workload. */
    readonly deviceGroups?: readonly number[]
  }
): ContainerConfig {
  const { entrypoint, cmd } = options.command ?? spec
  return {
    Image: spec.image.text,
    ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
    ...(cmd === undefined ? {} : { Cmd: cmd }),
    ...(spec.workingDirectory === undefined ? {} : { WorkingDir: spec.workingDirectory }),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    Env: spec.environment,
    Labels: {
      ...containerLabels(options.nodeId, workload.id),
      ...(options.withDiskLimit ? {} : { [DISK_LABEL]: String(workload.limits.disk) })
    },
    ExposedPorts: Object.fromEntries(workload.ports.map(({ port, protocol }) => [`${port}/${protocol}`, {}])),
    Tty: false,
    AttachStdin: false,
    OpenStdin: false,
    HostConfig: {
      ...resourceLimits(workload),
      ...(spec.privileged ? { Privileged: true } : confinement()),
      ...(options.withDiskLimit ? { StorageOpt: { size: String(workload.limits.disk) } } : largestFile(workload)),
      LogConfig: LOG_CONFIG,
      Init: true,
      AutoRemove: false,
      NetworkMode: options.networkMode,
      PortBindings: portBindings(workload),
      ...mounts(workload),
      ...devices(workload.gpus ?? [], options.deviceGroups ?? [])
    }
  }
}

function resourceLimits({ limits }: Workload): Readonly<Record<string, unknown>> {
  return {
    Memory: limits.memory,
    MemorySwap: limits.memory, // the sum of both: no swap
    NanoCpus: Math.round(limits.cpuCores * 1e9),
    PidsLimit: limits.pids,
    OomScoreAdj: OOM_SCORE
  }
}

/** One file can be bounded by the kernel where the whole cannot; a volume may be larger than the disk, and so may a file in it. */
function largestFile({ limits, mounts: given = [] }: Workload): Readonly<Record<string, unknown>> {
  if (given.some(({ isReadOnly }) => !isReadOnly)) return {}
  return { Ulimits: [{ Name: 'fsize', Soft: limits.disk, Hard: limits.disk }] }
}

/** Docker's default seccomp profile and masked paths stay in force, because nothing here replaces them. */
function confinement(): Readonly<Record<string, unknown>> {
  return {
    Privileged: false,
    CapDrop: ['ALL'],
    CapAdd: CAPABILITIES,
    SecurityOpt: ['no-new-privileges'],
    IpcMode: 'private',
    CgroupnsMode: 'private'
  }
}

function portBindings({ ports }: Workload): Readonly<Record<string, unknown>> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const { protocol, hostAddress, hostPort, port } of ports) {
    const name = `${port}/${protocol}`
    bindings[name] = [...(bindings[name] ?? []), { HostIp: hostAddress, HostPort: String(hostPort) }]
  }
  return bindings
}

/** What a workload mounts is not passed on to other mounts of this machine, nor theirs to it. */
function mounts({ mounts = [] }: Workload): Readonly<Record<string, unknown>> {
  if (mounts.length === 0) return {}
  return {
    Mounts: mounts.map(({ source, target, isReadOnly }) => ({
      Type: 'bind',
      Source: source,
      Target: target,
      ReadOnly: isReadOnly,
      BindOptions: { Propagation: 'rprivate' }
    }))
  }
}

/** NVIDIA's cards come with the libraries of their driver, by its container toolkit; those of others are device nodes (C §10.1). */
function devices(gpus: readonly WorkloadGpu[], groups: readonly number[]): Readonly<Record<string, unknown>> {
  const ids = gpus.flatMap(({ vendor, uuid }) => (vendor === 'nvidia' && uuid !== undefined ? [uuid] : []))
  const nodes = new Set(gpus.flatMap(({ vendor, devices }) => (vendor === 'nvidia' ? [] : devices)))
  return {
    ...(ids.length === 0 ? {} : { DeviceRequests: [{ Driver: '', Count: 0, DeviceIDs: ids, Capabilities: [['gpu']] }] }),
    ...(nodes.size === 0
      ? {}
      : {
          Devices: [...nodes].map((path) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: 'rw' })),
          GroupAdd: groups.map(String)
        })
  }
}
