import { errorMessage } from '../../base/index.ts'
import type { Probe } from '../../executor/index.ts'
import { ok, warning } from '../findings.ts'
import type { Check, DockerAnswer, FileStatus, Finding, PluginAnswer, Subject, System } from '../types.ts'

/** What was found of Docker. */
export interface DockerFacts {
  readonly socket: string
  /** The socket's file, when there is one. */
  readonly file?: FileStatus
  readonly mayUse: boolean
  /** Name of the group that the socket belongs to, where known. */
  readonly group?: string
  readonly answer: DockerAnswer
}

/** Looks whether jobs can be run at all. */
export const executors: Check = {
  id: 'executors',
  title: 'Executors',
  async run(subject) {
    const { oci, microvm, wasm } = subject.executors
    const probes = await Promise.all([oci(), microvm(), wasm()])
    const plugins = await subject.executors.plugins()
    return [
      ...(await checkDocker(subject)),
      judgeOci(probes[0]),
      judgeMicrovm(probes[1]),
      judgeWasm(probes[2]),
      ...plugins.map(judgePlugin)
    ]
  }
}

async function checkDocker({ executors: inspector, system }: Subject): Promise<readonly Finding[]> {
  let socket: string
  try {
    socket = inspector.dockerSocket()
  } catch (error) {
    return [warning('Docker', errorMessage(error), { advice: 'Unset DOCKER_HOST, or set it to unix:///path/to/docker.sock.' })]
  }
  const file = await system.status(socket)
  const group = file === undefined ? undefined : await groupName(system, file.gid)
  return judgeDocker({
    socket,
    ...(file === undefined ? {} : { file }),
    mayUse: await system.mayReadAndWrite(socket),
    ...(group === undefined ? {} : { group }),
    answer: await inspector.docker()
  })
}

async function groupName(system: System, gid: number): Promise<string | undefined> {
  const lines = ((await system.text('/etc/group')) ?? '').split('\n').map((line) => line.split(':'))
  return lines.find(([, , id]) => id === String(gid))?.[0]
}

/** Pure. Everything about Docker is a warning at most: WebAssembly jobs run without it. */
export function judgeDocker({ socket, file, mayUse, group = 'docker', answer }: DockerFacts): readonly Finding[] {
  if (answer.available) return judgeWorkingDocker(answer)
  if (file === undefined) {
    return [
      warning('Docker', `there is no ${socket}`, {
        advice: 'Without Docker only WebAssembly jobs run here. Install and start it:',
        command: 'sudo apt install docker.io && sudo systemctl enable --now docker'
      })
    ]
  }
  if (!mayUse) {
    return [
      warning('Docker', `this user may not use ${socket}`, {
        advice: `Add the user that runs the daemon to the group ${group} and log in again. Its members can become root of this machine.`,
        command: `sudo usermod -aG ${group} "$USER"`
      })
    ]
  }
  return [warning('Docker', answer.reason, { advice: 'Start it:', command: 'sudo systemctl start docker' })]
}

function judgeWorkingDocker(answer: Extract<DockerAnswer, { available: true }>): readonly Finding[] {
  const { version, isRootless, hasUserNamespaces, cgroupVersion } = answer
  const notes = [
    ...(isRootless ? ['rootless'] : []),
    ...(hasUserNamespaces ? ['user namespaces'] : []),
    ...(cgroupVersion === '' ? [] : [`control groups ${cgroupVersion}`])
  ]
  return [ok('Docker', `${version}${notes.length === 0 ? '' : `, ${notes.join(', ')}`}`), judgeStorage(answer)]
}

/** Docker limits the disk of a container only on these storage drivers; on overlay2 only over XFS with project quotas. */
function judgeStorage({ storageDriver, backingFileSystem }: Extract<DockerAnswer, { available: true }>): Finding {
  const where = `${storageDriver === '' ? 'unknown' : storageDriver}${backingFileSystem === '' ? '' : ` over ${backingFileSystem}`}`
  if (['btrfs', 'zfs', 'devicemapper', 'windowsfilter'].includes(storageDriver)) return ok('storage of containers', where)
  if (storageDriver === 'overlay2' && backingFileSystem === 'xfs') {
    return ok('storage of containers', `${where}; the disk of jobs is limited where XFS is mounted with pquota`)
  }
  return warning('storage of containers', `${where}: what a container writes cannot be limited`, {
    advice: 'A job can fill this disk. Put /var/lib/docker on XFS mounted with pquota, or on a file system of its own.'
  })
}

/** Pure. The reason says what to install or load. */
export function judgeOci(probe: Probe): Finding {
  if (probe.available) return ok('containers without a daemon', probe.version)
  return warning('containers without a daemon', probe.reason, { advice: 'Docker and WebAssembly do not need them.' })
}

/** Pure. A machine that lends none lacks nothing: its owner chooses to prepare them. */
export function judgeMicrovm(probe: Probe): Finding {
  if (probe.available) return ok('micro machines', probe.version)
  return ok('micro machines', `not offered: ${probe.reason}`)
}

/** Pure. */
export function judgeWasm(probe: Probe): Finding {
  if (probe.available) return ok('WebAssembly', probe.version)
  return warning('WebAssembly', probe.reason, { advice: 'Mount /proc for this process.' })
}

/** Pure. Whether a plugin may be loaded; whether it then works, the status of the daemon says. */
export function judgePlugin(plugin: PluginAnswer): Finding {
  const subject = `plugin ${plugin.name}`
  if ('refusal' in plugin) return warning(subject, plugin.refusal, { advice: 'The daemon goes on without it.' })
  return ok(subject, `${plugin.version}, adds ${plugin.executors.join(', ')}`.replace(/^, /, ''))
}
