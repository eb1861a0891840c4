import type { Clock, ErrorKind, Millis } from '../base/index.ts'
import type { LoadedConfig } from '../config/index.ts'
import type { Probe } from '../executor/index.ts'
import type { Machine } from '../hardware/index.ts'

/** How something stands: `warning` works but should be mended, `skipped` could not or need not be looked at. */
export type Verdict = 'ok' | 'warning' | 'problem' | 'skipped'

/** What one look found. All texts are single lines without secrets. */
export interface Finding {
  /** What was looked at: `CPU clock`, `key dms`. */
  readonly subject: string
  readonly verdict: Verdict
  /** What is there. */
  readonly found: string
  /** What to do about it; on every warning and problem. */
  readonly advice?: string
  /** A command line that does it. */
  readonly command?: string
  /** Of a problem: decides about the exit code. */
  readonly kind?: ErrorKind
}

/** The findings of one check. */
export interface CheckReport {
  readonly id: string
  readonly title: string
  readonly findings: readonly Finding[]
}

/** What is looked at. */
export interface Subject {
  /** The configuration in force, or why there is none. */
  readonly config: LoadedConfig | ConfigTrouble
  /** The key and context of the daemon: `dms`. */
  readonly contextName: string
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Measures the machine against the requirements for graphics cards also when none is found. */
  readonly needsGpu: boolean
  readonly system: System
  readonly clock: Clock
  /** What the machine has; the disk is that of `diskPath`. */
  readonly machine: (diskPath: string) => Promise<Machine>
  readonly executors: ExecutorInspector
}

/** Why the configuration cannot be used. */
export interface ConfigTrouble {
  readonly message: string
  readonly kind: ErrorKind
}

/** One check: looks, and says what it found. */
export interface Check {
  /** For programs: `hardware`. */
  readonly id: string
  /** For people: `Hardware`. */
  readonly title: string
  run(subject: Subject): Promise<readonly Finding[]>
}

/** What the Docker daemon says about itself. */
export type DockerAnswer =
  | {
      readonly available: true
      readonly version: string
      /** Such as `overlay2`. */
      readonly storageDriver: string
      /** File system below the storage driver, such as `extfs` or `xfs`; empty where unknown. */
      readonly backingFileSystem: string
      readonly isRootless: boolean
      /** Whether root of a container is another user outside. */
      readonly hasUserNamespaces: boolean
      readonly cgroupVersion: string
    }
  | { readonly available: false; readonly reason: string }

/** Asks the executors whether they work; declared here, satisfied by their drivers. */
export interface ExecutorInspector {
  /** Path of Docker's socket. Errors: those of a `DOCKER_HOST` that cannot be used. */
  dockerSocket(): string
  docker(): Promise<DockerAnswer>
  /** Containers without a daemon. */
  oci(): Promise<Probe>
  microvm(): Promise<Probe>
  wasm(): Promise<Probe>
  /** The plugins that the configuration names, looked at without running them. */
  plugins(): Promise<readonly PluginAnswer[]>
}

/** A plugin that could be loaded, or why not. */
export type PluginAnswer =
  | { readonly name: string; readonly version: string; readonly executors: readonly string[] }
  | { readonly name: string; readonly refusal: string }

/** A file as the system describes it; links are followed. */
export interface FileStatus {
  readonly type: 'file' | 'directory' | 'socket' | 'device' | 'other'
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly modifiedAt: Millis
}

/** The room of a file system that this user may use. */
export interface Space {
  readonly free: number
  readonly total: number
  /** Files that can still be made; 0 of 0 where the file system has no limit. */
  readonly freeFiles: number
  readonly totalFiles: number
}

/** This process. */
export interface ProcessFacts {
  readonly platform: string
  /** As Node names it. */
  readonly architecture: string
  /** Without `v`. */
  readonly nodeVersion: string
  /** Version of the C library; missing where it is not glibc. */
  readonly glibc?: string
  readonly kernel: string
  readonly uid: number
  /** All groups, also the first. */
  readonly groups: readonly number[]
}

/** What a program printed. */
export interface ProgramResult {
  readonly code: number
  readonly stdout: string
}

/** Where a server listens. */
export interface ListenPlace {
  readonly protocol: 'tcp' | 'udp'
  readonly host: string
  readonly port: number
}

/** Where HTTP is spoken: a port, or the path of a Unix socket. */
export type HttpPlace = { readonly host: string; readonly port: number } | { readonly socketPath: string }

/** What the operating system tells; a test has one made of recorded texts. Nothing here changes anything. */
export interface System {
  readonly process: ProcessFacts
  /** The text of a file, at most 1 MiB of it; nothing when it cannot be read. */
  text(path: string): Promise<string | undefined>
  /** Names in a directory, sorted, also hidden ones; nothing when it cannot be read. */
  names(path: string): Promise<readonly string[] | undefined>
  /** Nothing when there is no such file, or it is hidden from this user. */
  status(path: string): Promise<FileStatus | undefined>
  mayWrite(path: string): Promise<boolean>
  mayReadAndWrite(path: string): Promise<boolean>
  space(path: string): Promise<Space | undefined>
  /** Runs a program of the system without a shell, for a second at most; nothing when there is none. */
  run(program: string, args: readonly string[]): Promise<ProgramResult | undefined>
  /** Whether a server could listen there now. */
  tryListen(place: ListenPlace): Promise<'free' | 'in use' | 'forbidden' | 'no such address'>
  /** One HTTP request of a second at most; nothing when nobody answers. */
  get(place: HttpPlace, path: string): Promise<{ readonly status: number; readonly text: string } | undefined>
  isAlive(pid: number): boolean
}
