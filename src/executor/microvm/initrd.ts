import { readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Workload } from '../executor.ts'
import { filesInside } from '../preparation.ts'
import { type ArchiveEntry, packArchive } from './cpio.ts'
import type { Guest } from './guest.ts'
import { GUEST_INIT } from './guest-init.ts'

/** What runs inside. */
export interface Program {
  /** Where its root is: the archive itself, or a disk. */
  readonly root: 'archive' | 'disk'
  /** None: the root's own `/sbin/init` runs. */
  readonly command: readonly string[] | undefined
  /** `KEY=VALUE`. */
  readonly environment: readonly string[]
  readonly workingDirectory: string
  /** Put into `/run/nunet-metadata` of the root. */
  readonly metadata: string | undefined
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Writes the first file system of a machine: busybox, modules, our init, and the job with its files. */
export async function writeInitrd(path: string, guest: Guest, workload: Workload, program: Program): Promise<void> {
  const [busybox, ...modules] = await Promise.all([guest.busybox, ...guest.modules].map((file) => readFile(file)))
  const entries: readonly ArchiveEntry[] = [
    { path: 'init', mode: 0o755, content: Buffer.from(GUEST_INIT) },
    { path: 'bin/busybox', mode: 0o755, content: busybox ?? new Uint8Array() },
    ...modules.map((content, index) => ({ path: `job/modules/${moduleName(guest, index)}`, mode: 0o600, content })),
    ...jobEntries(workload, program)
  ]
  await writeFile(path, packArchive(entries), { mode: 0o600 })
}

function moduleName({ modules }: Guest, index: number): string {
  return `${String(index).padStart(2, '0')}-${basename(modules[index] ?? '')}`
}

/** The part of the archive that is about the job. */
export function jobEntries(workload: Workload, program: Program): readonly ArchiveEntry[] {
  const settings = `ROOT=${program.root}\nOWN_INIT=${program.command === undefined ? 'yes' : 'no'}\n`
  const hasScripts = (workload.scripts ?? []).length > 0
  const command = [...(hasScripts ? ['/bin/sh', '/.nunet/run'] : []), ...(program.command ?? [])]
  const metadata = program.metadata === undefined ? [] : [fileEntry('/run/nunet-metadata', program.metadata)]
  return [
    { path: 'job/settings', mode: 0o600, content: Buffer.from(settings) },
    { path: 'job/enter', mode: 0o700, content: Buffer.from(enterScript(program)) },
    { path: 'job/main', mode: 0o600, content: Buffer.from(commandScript(command)) },
    { path: 'job/files', mode: 0o755 },
    ...metadata,
    ...filesInside(workload).map(({ path, mode, content }) => ({ path: `job/files${path}`, mode, content }))
  ]
}

/** A script of the guest that becomes a command in the root of the job, with its environment. */
export function commandScript(command: readonly string[]): string {
  return `exec /bin/busybox sh /job/enter ${command.map(quote).join(' ')}\n`
}

function fileEntry(path: string, text: string): ArchiveEntry {
  return { path: `job/files${path}`, mode: 0o644, content: Buffer.from(text) }
}

function enterScript({ root, environment, workingDirectory }: Program): string {
  const variables = [DEFAULT_PATH, 'HOME=/root', ...environment].map(quote).join(' ')
  const directory = root === 'disk' ? '/newroot' : '/'
  const inside = `/dev/nunet/busybox sh -c 'cd "$0" && exec "$@"' ${quote(workingDirectory)} "$@"`
  return `exec /bin/busybox env -i ${variables} /bin/busybox chroot ${directory} ${inside}\n`
}

/** One word for a POSIX shell, whatever is in it. */
function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`
}
