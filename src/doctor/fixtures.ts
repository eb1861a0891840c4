import { millis } from '../base/index.ts'
import { type LoadedConfig, loadConfig } from '../config/index.ts'
import type { Machine } from '../hardware/index.ts'
import type { DockerAnswer, FileStatus, Finding, Subject, System } from './types.ts'

/** The instant of all recorded machines. For tests of this module only. */
export const NOW = millis(Date.UTC(2026, 5, 1))

/** A machine as it was recorded: texts of files, and the status of those that need one. */
export interface Recording {
  readonly texts?: Readonly<Record<string, string>>
  /** Status of files beside those in `texts`, which are files of user 1000 with mode 0600. */
  readonly files?: Readonly<Record<string, Partial<FileStatus>>>
  readonly programs?: Readonly<Record<string, { readonly code: number; readonly stdout: string }>>
  /** Paths that this user may write to, with everything below. */
  readonly writable?: readonly string[]
  readonly system?: Partial<System>
}

/** A system made of a recording; what was not recorded is not there. */
export function recordedSystem({ texts = {}, files = {}, programs = {}, writable = [], system = {} }: Recording): System {
  const plain: FileStatus = { type: 'file', mode: 0o600, uid: 1000, gid: 1000, modifiedAt: NOW }
  const paths = [...Object.keys(texts), ...Object.keys(files)]
  const may = async (path: string): Promise<boolean> => writable.some((root) => path === root || path.startsWith(`${root}/`))
  return {
    process: { platform: 'linux', architecture: 'x64', nodeVersion: '24.1.0', kernel: '6.1.0', uid: 1000, groups: [1000] },
    text: async (path) => texts[path],
    async names(path) {
      const below = paths.filter((each) => each.startsWith(`${path}/`)).map((each) => each.slice(path.length + 1))
      return below.length === 0 ? undefined : [...new Set(below.map((each) => each.split('/')[0] ?? ''))].sort()
    },
    async status(path) {
      const recorded = files[path]
      if (recorded !== undefined || texts[path] !== undefined) return { ...plain, ...recorded }
      const isAbove = path === '/' || paths.some((each) => each.startsWith(`${path}/`))
      return isAbove ? { ...plain, type: 'directory', mode: 0o700 } : undefined
    },
    mayWrite: may,
    mayReadAndWrite: may,
    space: async () => ({ free: 200e9, total: 400e9, freeFiles: 1e6, totalFiles: 2e6 }),
    run: async (program) => programs[program],
    tryListen: async () => 'free',
    get: async () => undefined,
    isAlive: () => false,
    ...system
  }
}

/** A machine that has everything that is recommended. */
export const GOOD_MACHINE: Machine = {
  cpu: { cores: 8, threads: 8, clockHz: 4e9, model: 'Model', vendor: 'Vendor', architecture: 'x86_64', cacheBytes: 0 },
  memory: 32e9 as Machine['memory'],
  disk: { path: '/', total: 400e9 as Machine['memory'] },
  gpus: []
}

const DOCKER: DockerAnswer = {
  available: true,
  version: '27.0',
  storageDriver: 'btrfs',
  backingFileSystem: '',
  isRootless: false,
  hasUserNamespaces: false,
  cgroupVersion: '2'
}

/** The configuration of defaults with the home directory /home/owner. */
export async function defaultConfig(environment: Readonly<Record<string, string>> = {}): Promise<LoadedConfig> {
  return await loadConfig({ environment, cwd: '/nowhere', home: '/home/owner' })
}

/** Something to examine, in which all is well but what the options say. */
export async function subjectOf(recording: Recording, options: Partial<Subject> = {}): Promise<Subject> {
  return {
    config: await defaultConfig(),
    contextName: 'dms',
    home: '/home/owner',
    environment: {},
    needsGpu: false,
    system: recordedSystem(recording),
    clock: {
      now: () => NOW,
      sleep: (_, abort) => new Promise((_resolve, reject) => abort?.signal?.addEventListener('abort', reject))
    },
    machine: async () => GOOD_MACHINE,
    executors: {
      dockerSocket: () => '/var/run/docker.sock',
      docker: async () => DOCKER,
      microvm: async () => ({ available: true, version: 'QEMU 7.2, emulation, Linux 6.1' }),
      oci: async () => ({ available: true, version: 'runc version 1.1' }),
      wasm: async () => ({ available: true, version: 'wasi' }),
      plugins: async () => []
    },
    ...options
  }
}

/** The findings in short: `verdict subject: found`. */
export function brief(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ verdict, subject, found }) => `${verdict} ${subject}: ${found}`)
}

/** What is neither `ok` nor `skipped`. */
export function bad(findings: readonly Finding[]): readonly string[] {
  return brief(findings.filter(({ verdict }) => verdict === 'warning' || verdict === 'problem'))
}
