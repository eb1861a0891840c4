import { ok, problem, showBytes, warning } from '../findings.ts'
import type { Check, Finding, ProcessFacts, System } from '../types.ts'

/** What was read about the system. */
export interface PlatformFacts {
  readonly process: ProcessFacts
  /** Version of the control groups: 2, 1, or 0 for none. */
  readonly cgroups: 0 | 1 | 2
  /** Bytes of swap. */
  readonly swap: number
  readonly isWsl: boolean
  /** Marks of a container that this process runs in. */
  readonly isContainer: boolean
  /** What the firmware says that the machine is, for virtual ones. */
  readonly hypervisor: string | undefined
}

const LEAST_NODE: readonly [number, number] = [20, 19]
/** Node 20 gets no security fixes since April 2026. */
const SUPPORTED_NODE = 22
const KNOWN_ARCHITECTURES: readonly string[] = ['x64', 'arm64']

/** Looks at the operating system and at Node. */
export const platform: Check = {
  id: 'platform',
  title: 'System',
  run: async ({ system }) => judgePlatform(await readPlatform(system))
}

async function readPlatform(system: System): Promise<PlatformFacts> {
  const version = (await system.text('/proc/version')) ?? ''
  const cpuinfo = (await system.text('/proc/cpuinfo')) ?? ''
  const isVirtual = /^flags\s*:.*\bhypervisor\b/m.test(cpuinfo)
  const product = (await system.text('/sys/class/dmi/id/product_name'))?.trim()
  return {
    process: system.process,
    cgroups: await readCgroups(system),
    swap: 1024 * Number(/^SwapTotal:\s+(\d+) kB$/m.exec((await system.text('/proc/meminfo')) ?? '')?.[1] ?? 0),
    isWsl: /microsoft/i.test(version),
    isContainer: await isInContainer(system),
    hypervisor: isVirtual ? (product ?? 'of an unknown kind') : undefined
  }
}

async function readCgroups(system: System): Promise<0 | 1 | 2> {
  if ((await system.status('/sys/fs/cgroup/cgroup.controllers')) !== undefined) return 2
  return (await system.status('/sys/fs/cgroup/memory')) === undefined ? 0 : 1
}

async function isInContainer(system: System): Promise<boolean> {
  if ((await system.status('/.dockerenv')) !== undefined || (await system.status('/run/.containerenv')) !== undefined) return true
  return /\/(docker|lxc|kubepods|libpod)[/-]/.test((await system.text('/proc/1/cgroup')) ?? '')
}

/** Pure. */
export function judgePlatform(facts: PlatformFacts): readonly Finding[] {
  return [
    judgeArchitecture(facts.process),
    judgeNode(facts.process),
    judgeCgroups(facts.cgroups),
    judgeSwap(facts.swap),
    ...judgeSurroundings(facts)
  ]
}

function judgeArchitecture({ platform: name, architecture, kernel, glibc }: ProcessFacts): Finding {
  const found = `${name} ${kernel} on ${architecture}${glibc === undefined ? '' : `, glibc ${glibc}`}`
  if (name !== 'linux') {
    return problem('operating system', found, {
      advice: 'Only Linux is supported: use a virtual machine or WSL 2.',
      kind: 'unavailable'
    })
  }
  if (KNOWN_ARCHITECTURES.includes(architecture)) return ok('operating system', found)
  return warning('operating system', found, { advice: 'Only x64 and arm64 are tested.' })
}

function judgeNode({ nodeVersion }: ProcessFacts): Finding {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number)
  const [leastMajor, leastMinor] = LEAST_NODE
  if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
    return problem('Node', nodeVersion, { advice: `Install Node ${LEAST_NODE.join('.')} or newer.`, kind: 'unavailable' })
  }
  if (major >= SUPPORTED_NODE) return ok('Node', nodeVersion)
  return warning('Node', `${nodeVersion}, which gets no security fixes any more`, { advice: 'Install Node 24.' })
}

function judgeCgroups(version: PlatformFacts['cgroups']): Finding {
  if (version === 2) return ok('control groups', 'version 2')
  if (version === 1) return ok('control groups', 'version 1, or both: limits work, though Docker and systemd prefer version 2')
  return warning('control groups', 'not mounted', {
    advice: 'Limits of jobs cannot be enforced: mount /sys/fs/cgroup, or start systemd.'
  })
}

function judgeSwap(swap: number): Finding {
  if (swap === 0) return ok('swap', 'none')
  return ok('swap', `${showBytes(swap)}; keys in memory may get there: encrypt it where others reach the disk`)
}

function judgeSurroundings({ isWsl, isContainer, hypervisor }: PlatformFacts): readonly Finding[] {
  const findings: Finding[] = []
  if (isWsl) {
    findings.push(
      warning('surroundings', 'Windows Subsystem for Linux', {
        advice: 'Jobs end when Windows sleeps or shuts WSL down; for lending, plain Linux is better.'
      })
    )
  }
  if (isContainer) {
    findings.push(
      warning('surroundings', 'a container', {
        advice:
          'Mount user_dir, work_dir and data_dir from outside under the same paths, and Docker’s socket, or keys and jobs are lost with the container.'
      })
    )
  }
  if (findings.length > 0) return findings
  return [ok('surroundings', hypervisor === undefined ? 'no virtual machine' : `virtual machine ${hypervisor}`)]
}
