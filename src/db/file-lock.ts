import { linkSync, mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  type Clock,
  hasErrno,
  isJsonObject,
  type Millis,
  millis,
  parseJson,
  randomHex,
  seconds,
  systemClock,
  systemRandom
} from '../base/index.ts'
import { FileLockedError, toFileError } from './errors.ts'

/** How long a lock is waited for: longer than any command holds one, shorter than a user's patience. */
const LOCK_WAIT = seconds(10)

const POLL_INTERVAL = millis(50)

/** Options of {@link withFileLock}, for tests. */
export interface FileLockOptions {
  readonly clock?: Clock
  /** Default ten seconds. */
  readonly wait?: Millis
}

/**
 * Runs `work` while no other process, and no other call in this one, holds the lock of `path`.
 *
 * The lock is the file `<path>.lock`, which names its holder. It binds only those who ask for it, on one machine: a
 * holder in another container looks dead. A lock whose holder died is taken over.
 *
 * @returns What `work` returned.
 * @throws FileLockedError (`DB_LOCKED`) when the lock is not free within the wait; names the holder's process id.
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>, options: FileLockOptions = {}): Promise<T> {
  const { clock = systemClock, wait = LOCK_WAIT } = options
  const lock = `${path}.lock`
  const holder = describeSelf()
  const deadline = clock.now() + wait
  while (!tryAcquire(lock, holder)) {
    if (clock.now() >= deadline) throw lockedError(path, lock, wait)
    await clock.sleep(POLL_INTERVAL)
  }
  try {
    return await work()
  } finally {
    release(lock, holder)
  }
}

/** The process id of who holds the lock of `path` now; nothing when nobody does, or when it cannot be told. */
export function lockHolder(path: string): number | undefined {
  const current = readHolder(`${path}.lock`)
  return current !== undefined && current !== 'unreadable' && isAlive(current) ? current.pid : undefined
}

interface Holder {
  readonly pid: number
  /** Boot id and start of the process in clock ticks, so that a reused process id is told apart; empty where unknown. */
  readonly started: string
  /** Random, one per acquisition. */
  readonly token: string
}

function describeSelf(): Holder {
  return { pid: process.pid, started: startOf(process.pid), token: randomHex(systemRandom, 16) }
}

/** Synchronous, so that no other call of this process comes between its steps. */
function tryAcquire(lock: string, holder: Holder): boolean {
  try {
    if (place(lock, holder)) return true
    const current = readHolder(lock)
    if (current !== undefined && (current === 'unreadable' || isAlive(current))) return false
    if (current !== undefined) removeStale(lock, current)
    return place(lock, holder)
  } catch (error) {
    throw toFileError(error, `cannot lock ${lock}`)
  }
}

/** Links a complete file to the name, so that nobody ever reads a lock without its holder. */
function place(lock: string, holder: Holder): boolean {
  const temporary = `${lock}.${holder.token}`
  mkdirSync(dirname(lock), { recursive: true, mode: 0o700 })
  try {
    writeFileSync(temporary, JSON.stringify(holder), { flag: 'wx', mode: 0o600 })
    linkSync(temporary, lock)
    return true
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return false
    throw error
  } finally {
    rmSync(temporary, { force: true }) // a full disk leaves it empty, a forbidden directory not even that
  }
}

/**
 * Removes the lock of a dead holder. The name `<lock>.stale-<token>` can be made only once, and only by linking the lock
 * itself; so of several processes that saw the same dead holder exactly one removes it, and never a successor's lock.
 */
function removeStale(lock: string, dead: Holder): void {
  const claim = `${lock}.stale-${dead.token}`
  try {
    linkSync(lock, claim)
  } catch (error) {
    if (hasErrno(error, 'EEXIST') || hasErrno(error, 'ENOENT')) return // another process is at it, or done
    throw error
  }
  const claimed = readHolder(claim)
  if (claimed !== undefined && claimed !== 'unreadable' && claimed.token === dead.token) unlinkSync(lock)
  unlinkSync(claim)
}

function release(lock: string, holder: Holder): void {
  const current = readHolder(lock)
  if (current !== undefined && current !== 'unreadable' && current.token === holder.token) rmSync(lock, { force: true })
}

function readHolder(lock: string): Holder | 'unreadable' | undefined {
  let text: string
  try {
    text = readFileSync(lock, 'utf8').slice(0, 1024)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  }
  const parsed = parseJson(text)
  if (!parsed.ok || !isJsonObject(parsed.value)) return 'unreadable'
  const { pid, started, token } = parsed.value
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return 'unreadable'
  if (typeof started !== 'string' || typeof token !== 'string' || !/^[0-9a-f]{32}$/.test(token)) return 'unreadable'
  return { pid, started, token }
}

function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return !hasErrno(error, 'ESRCH') // EPERM: it lives, as another user
  }
  const found = startOf(pid)
  return found === '' || found === started // /proc may be hidden from us: then it counts as alive
}

/** Empty where the system has no /proc: then only the process id counts. */
function startOf(pid: number): string {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const ticks = status.slice(status.lastIndexOf(')') + 2).split(' ')[19] // field 22, after a name that may hold spaces
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${ticks ?? ''}`
  } catch {
    return '' // no /proc, hidden, or the process has just ended: its id alone decides
  }
}

function lockedError(path: string, lock: string, wait: Millis): FileLockedError {
  const current = readHolder(lock)
  const known = current !== undefined && current !== 'unreadable'
  const holder = known ? `process ${current.pid}` : 'an unknown process'
  return new FileLockedError(
    `${path} is locked by ${holder} for more than ${wait} ms; if that process is not of this program, remove ${lock}`,
    { details: { path, lock, ...(known ? { pid: current.pid } : {}) } }
  )
}
