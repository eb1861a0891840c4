import { ok, problem, shellPath, showBytes, valuesOf, warning, withoutConfig } from '../findings.ts'
import type { Check, FileStatus, Finding, Space, Subject, System } from '../types.ts'
import { nearestExisting } from './paths.ts'

/** One directory of the configuration. */
export interface DirectoryFacts {
  /** The key of the configuration: `user_dir`. */
  readonly name: string
  readonly path: string
  /** Missing when it does not exist yet. */
  readonly status?: FileStatus
  /** Whether it, or the directory in which it would be made, may be written to. */
  readonly mayWrite: boolean
  readonly uid: number
  readonly space?: Space
  /** Type of the file system, such as `ext4`; missing where unknown. */
  readonly fileSystem?: string
}

const NAMES = ['user_dir', 'work_dir', 'data_dir'] as const

/** Databases and locks cannot be relied on there. */
const NETWORK: readonly string[] = ['nfs', 'nfs4', 'cifs', 'smb3', '9p', 'fuse.sshfs', 'afs', 'ceph', 'glusterfs']
const IN_MEMORY: readonly string[] = ['tmpfs', 'ramfs', 'overlay']
const LEAST_FREE = 2 ** 30
const LEAST_FILES = 10_000

/** Looks at the directories that the daemon writes to. */
export const directories: Check = {
  id: 'directories',
  title: 'Directories',
  async run(subject) {
    const config = valuesOf(subject)
    if (config === undefined) return withoutConfig('directories')
    const found = await Promise.all(NAMES.map((name) => readDirectory(subject, name, config.general[name])))
    return found.flatMap(judgeDirectory)
  }
}

async function readDirectory({ system }: Subject, name: string, path: string): Promise<DirectoryFacts> {
  const status = await system.status(path)
  const existing = await nearestExisting(system, path)
  const space = await system.space(existing)
  const fileSystem = await fileSystemOf(system, existing)
  return {
    name,
    path,
    ...(status === undefined ? {} : { status }),
    mayWrite: await system.mayWrite(existing),
    uid: system.process.uid,
    ...(space === undefined ? {} : { space }),
    ...(fileSystem === undefined ? {} : { fileSystem })
  }
}

/** The type in the line of the longest mount point above the path; later mounts hide earlier ones. */
async function fileSystemOf(system: System, path: string): Promise<string | undefined> {
  let best: { readonly point: string; readonly type: string } | undefined
  for (const line of ((await system.text('/proc/self/mounts')) ?? '').split('\n')) {
    const [, escaped = '', type = ''] = line.split(' ')
    const point = escaped.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    const isAbove = point === '/' || path === point || path.startsWith(`${point}/`)
    if (point !== '' && isAbove && point.length >= (best?.point.length ?? 0)) best = { point, type }
  }
  return best?.type
}

/** Pure. */
export function judgeDirectory(facts: DirectoryFacts): readonly Finding[] {
  const findings = [judgeAccess(facts), judgeOwner(facts), judgeMode(facts), judgeRoom(facts), judgeFileSystem(facts)].filter(
    (finding) => finding !== undefined
  )
  if (findings.length > 0) return findings
  const { name, path, status, space, fileSystem } = facts
  const state = status === undefined ? 'will be made' : 'there'
  const room = space === undefined ? '' : `, ${showBytes(space.free)} free`
  return [ok(name, `${path} ${state}${room}${fileSystem === undefined ? '' : `, ${fileSystem}`}`)]
}

function judgeAccess({ name, path, status, mayWrite }: DirectoryFacts): Finding | undefined {
  if (status !== undefined && status.type !== 'directory') {
    return problem(name, `${path} is no directory`, {
      advice: `Remove it, or set general.${name} to another path.`,
      kind: 'conflict'
    })
  }
  if (mayWrite) return undefined
  const found = status === undefined ? `${path} is not there and cannot be made by this user` : `${path} may not be written to`
  return problem(name, found, {
    advice: 'Give it to the user that runs the daemon:',
    command: `sudo install -d -m 0700 -o "$(id -un)" ${shellPath(path)}`,
    kind: 'forbidden'
  })
}

/** Two users with one directory end with files that one of them cannot read (A §14, W27). */
function judgeOwner({ name, path, status, uid }: DirectoryFacts): Finding | undefined {
  if (status === undefined || status.uid === uid) return undefined
  return warning(name, `${path} belongs to user ${status.uid}, this is user ${uid}`, {
    advice: 'Run the daemon and these commands as the same user, or they leave files that the other cannot use.',
    command: `sudo -u "#${status.uid}" nunet doctor`
  })
}

function judgeMode({ name, path, status }: DirectoryFacts): Finding | undefined {
  if (status === undefined) return undefined
  const isSticky = (status.mode & 0o1000) !== 0
  if ((status.mode & 0o002) !== 0 && !isSticky) {
    return problem(name, `${path} may be written to by everybody`, {
      advice: 'Others could put keys and root anchors there:',
      command: `chmod go-w ${shellPath(path)}`,
      kind: 'forbidden'
    })
  }
  if (name !== 'user_dir' || (status.mode & 0o020) === 0) return undefined
  return warning(name, `${path} may be written to by its group`, {
    advice: 'The group could put keys and root anchors there:',
    command: `chmod g-w ${shellPath(path)}`
  })
}

function judgeRoom({ name, path, space }: DirectoryFacts): Finding | undefined {
  if (space === undefined) return undefined
  if (space.free < LEAST_FREE) {
    return warning(name, `${path} has only ${showBytes(space.free)} left`, { advice: 'Make room: a full disk stops the node.' })
  }
  if (space.totalFiles === 0 || space.freeFiles >= LEAST_FILES) return undefined
  return warning(name, `${path} has room for only ${space.freeFiles} more files`, {
    advice: 'Remove files: the file system runs out of inodes before it is full.',
    command: 'df -i'
  })
}

function judgeFileSystem({ name, path, fileSystem = '' }: DirectoryFacts): Finding | undefined {
  if (NETWORK.includes(fileSystem)) {
    return warning(name, `${path} lies on a network file system (${fileSystem})`, {
      advice: `Locks and the database cannot be relied on there: set general.${name} to a local path.`
    })
  }
  if (!IN_MEMORY.includes(fileSystem)) return undefined
  return warning(name, `${path} lies on ${fileSystem}`, {
    advice:
      fileSystem === 'overlay'
        ? 'It is lost with the container: mount a volume there.'
        : `It is lost at a restart of the machine: set general.${name} to a path on a disk.`
  })
}
