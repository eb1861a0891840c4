import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { type Bytes, type Clock, hours } from '../base/index.ts'

/** When a log file is put aside, and how many are kept. */
export interface RotationOptions {
  /** A line that would make the file larger begins a new one. */
  readonly maxSize: Bytes
  /** Files put aside that are kept; 0 keeps all. */
  readonly maxBackups: number
  /** Age in days at which files put aside are removed; 0 keeps them. */
  readonly maxAgeDays: number
}

/** A file that grows line by line and is put aside when it is large. */
export interface RotatingFile {
  /** Creates the file, mode 0640, and missing directories, mode 0750. Throws what the operating system says. */
  open(): void
  /** Appends before it returns, so that the last lines before a crash are there. Throws what the operating system says. */
  write(line: string): void
  /** Idempotent. */
  close(): void
}

/** The options of {@link createRotatingFile}. */
export interface RotatingFileOptions extends RotationOptions {
  readonly path: string
  readonly clock: Clock
}

/**
 * A log file at `path`; full ones become `<name>-<time><extension>` beside it, with the time in UTC
 * (`nunet-dms-logs-2025-03-01T10-20-30.400.jsonl`).
 */
export function createRotatingFile({ path, clock, ...limits }: RotatingFileOptions): RotatingFile {
  let descriptor: number | undefined
  let size = 0

  function open(): number {
    if (descriptor !== undefined) return descriptor
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
    descriptor = openSync(path, 'a', 0o640)
    size = fstatSync(descriptor).size
    return descriptor
  }

  function close(): void {
    const open = descriptor
    descriptor = undefined
    if (open !== undefined) closeSync(open)
  }

  function rotate(): void {
    close()
    renameSync(path, freeName(path, clock))
    removeOld(path, clock, limits)
  }

  return {
    open() {
      open()
      removeOld(path, clock, limits)
    },
    write(line) {
      const data = Buffer.from(line, 'utf8')
      open()
      if (size > 0 && size + data.length > limits.maxSize) rotate()
      writeAll(open(), data)
      size += data.length
    },
    close
  }
}

/** The system may take only a part, as when a disk is nearly full. */
function writeAll(descriptor: number, data: Uint8Array): void {
  for (let at = 0; at < data.length; ) at += writeSync(descriptor, data, at)
}

function freeName(path: string, clock: Clock): string {
  const time = new Date(clock.now()).toISOString().replaceAll(':', '-').replace('Z', '')
  const { stem, extension } = parts(path)
  for (let number = 1; ; number += 1) {
    const name = join(dirname(path), `${stem}-${time}${number === 1 ? '' : `-${number}`}${extension}`)
    if (!existsSync(name)) return name
  }
}

function removeOld(path: string, clock: Clock, { maxBackups, maxAgeDays }: RotationOptions): void {
  const newestFirst = backupsOf(path)
  const tooMany = maxBackups === 0 ? [] : newestFirst.slice(maxBackups)
  const oldest = clock.now() - hours(24 * maxAgeDays)
  const tooOld = maxAgeDays === 0 ? [] : newestFirst.filter(({ at }) => at < oldest)
  for (const { name } of new Set([...tooMany, ...tooOld])) rmSync(join(dirname(path), name), { force: true })
}

interface Backup {
  readonly name: string
  readonly at: number
  readonly number: number
}

function backupsOf(path: string): readonly Backup[] {
  return readdirSync(dirname(path))
    .flatMap((name) => parseBackup(path, name))
    .sort((a, b) => b.at - a.at || b.number - a.number)
}

function parseBackup(path: string, name: string): readonly Backup[] {
  const { stem, extension } = parts(path)
  if (!name.startsWith(`${stem}-`) || !name.endsWith(extension)) return []
  const middle = name.slice(stem.length + 1, name.length - extension.length)
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})(?:-(\d+))?$/.exec(middle)
  if (match === null) return []
  const [, date = '', hour = '', minute = '', second = '', number = '1'] = match
  return [{ name, at: Date.parse(`${date}T${hour}:${minute}:${second}Z`), number: Number(number) }]
}

function parts(path: string): { readonly stem: string; readonly extension: string } {
  const extension = extname(path)
  return { stem: basename(path, extension), extension }
}
