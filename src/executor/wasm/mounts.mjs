// Guards the directories of this machine that a WASI module sees besides its own.
//
// Others may write there at the same time: another job with the same volume can put a symbolic link, say to /etc, in place of a
// directory between any check of a name and its use. So nothing here trusts a name. What changes a directory goes through an open
// descriptor of that directory, whose real place the kernel tells; what WASI opens by name is looked at after it was opened, and
// a file outside of the mounts ends the run before the module gets its descriptor. Only lists of names and attributes are read by name.
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  unlinkSync
} from 'node:fs'
import { posix } from 'node:path'

const SUCCESS = 0
const ERRNO = { EACCES: 2, EBADF: 8, EEXIST: 20, EINVAL: 28, EISDIR: 31, ELOOP: 32, ENAMETOOLONG: 37, ENOENT: 44, ENOSPC: 51 }
Object.assign(ERRNO, { ENOTDIR: 54, ENOTEMPTY: 55, EROFS: 69, EXDEV: 75, ENOTSUP: 58, EBUSY: 10, EDQUOT: 19, EPERM: 63 })
const ERRNO_IO = 29

const CREATE = 1
const EXCLUSIVE = 4
const TRUNCATE = 8
const OPEN_EXISTING = ~(CREATE | EXCLUSIVE | TRUNCATE)
/** fd_datasync, fd_write, fd_allocate, path_create…, path_link…, path_rename…, set_size, set_times, symlink, remove, unlink. */
const CHANGING_RIGHTS =
  (1n << 6n) |
  (1n << 8n) |
  (1n << 9n) |
  (1n << 10n) |
  (1n << 11n) |
  (1n << 12n) |
  (1n << 16n) |
  (1n << 17n) |
  (0x7fn << 19n) |
  (0x3fn << 22n)

/** Descriptors of WASI for preopened directories begin here, in their order; the module's own is the first. */
const FIRST_PREOPEN = 3
const MAX_PATH = 4096

const errnoOf = (error) => ERRNO[error.code] ?? ERRNO_IO

/**
 * Guards of the calls that name or change files, over guards of the same calls for the module's own directory.
 *
 * @param guards - What is called for everything outside of mounts, and to open what exists.
 * @param mounts - `{ source, target, isReadOnly }`; at least one.
 * @param memory - Gives the memory of the module.
 * @param own    - The module's own directory and those of the run: files there may be open.
 * @param onEscape - Ends the process; called when a file outside was opened.
 */
export function guardMounts({ guards, mounts, memory, own, onEscape }) {
  const roots = mounts.map(({ source, isReadOnly }) => ({ path: realpathSync(source), isReadOnly }))
  /** By descriptor: the root, and the place of a directory; files have no place. */
  const open = new Map(roots.map((root, index) => [FIRST_PREOPEN + 1 + index, { root, path: root.path }]))
  const before = new Set(targets())
  const allowed = [...own, ...roots.map(({ path }) => path)]

  function targets() {
    return readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)]
      } catch {
        return [] // the descriptor of this listing itself
      }
    })
  }

  const isWithin = (path, root) => path === root || path.startsWith(`${root}/`)
  const isOwnProcess = (path) => path.startsWith(`/proc/${process.pid}/`) && !/\/(environ|mem|maps|root|cwd|fd)\b/.test(path)

  /** Looks at everything that is open: whatever WASI opened just now is among it. */
  function checkOpen() {
    for (const path of targets()) {
      const isPlain = path.startsWith('/') && !before.has(path) && !isOwnProcess(path)
      if (isPlain && !allowed.some((root) => isWithin(path.replace(/ \(deleted\)$/, ''), root))) onEscape()
    }
  }

  function textAt(pointer, length) {
    if (length >>> 0 > MAX_PATH) throw Object.assign(new Error('too long'), { code: 'ENAMETOOLONG' })
    return Buffer.from(memory().buffer, pointer >>> 0, length >>> 0).toString('utf8')
  }

  /** Parent and name below a directory; no link is followed on the way. */
  function resolve({ root, path: directory }, pointer, length) {
    const text = textAt(pointer, length)
    if (directory === undefined) throw Object.assign(new Error('no directory'), { code: 'ENOTDIR' })
    if (text === '' || text.startsWith('/') || text.includes('\0')) throw Object.assign(new Error('name'), { code: 'EINVAL' })
    const path = posix.join(directory, text).replace(/\/+$/, '')
    if (!isWithin(path, root.path)) throw Object.assign(new Error('outside'), { code: 'EPERM' })
    return { root, path, parent: posix.dirname(path), name: posix.basename(path) }
  }

  function refuseLinks({ root, path }) {
    for (let at = path; at !== root.path; at = posix.dirname(at)) {
      const status = lstatSync(at, { throwIfNoEntry: false })
      if (status?.isSymbolicLink()) throw Object.assign(new Error('link'), { code: 'ELOOP' })
    }
  }

  /** Does something to a name in a directory that is certain to be below the mount. */
  function inParent({ root, path, parent, name }, work) {
    if (path === root.path) throw Object.assign(new Error('the mount itself'), { code: 'EBUSY' })
    const fd = openSync(parent, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    try {
      if (!isWithin(readlinkSync(`/proc/self/fd/${fd}`), root.path)) throw Object.assign(new Error('outside'), { code: 'ELOOP' })
      return work(`/proc/self/fd/${fd}/${name}`)
    } finally {
      closeSync(fd)
    }
  }

  function attempt(work) {
    try {
      return work()
    } catch (error) {
      if (error instanceof RangeError) return 21
      if (typeof error.code !== 'string') throw error
      return errnoOf(error)
    }
  }

  /** A change below a mount; elsewhere the guard of the module's own directory. */
  const change =
    (name, work) =>
    (fd, pointer, length, ...rest) => {
      const directory = open.get(fd)
      if (directory === undefined) return guards[name](fd, pointer, length, ...rest)
      return attempt(() => {
        if (directory.root.isReadOnly) return ERRNO.EROFS
        inParent(resolve(directory, pointer, length), work)
        return SUCCESS
      })
    }

  /** A look at a name: links on the way, and at its end, are refused. */
  const look =
    (name) =>
    (fd, flags, pointer, length, ...rest) => {
      const directory = open.get(fd)
      if (directory === undefined) return guards[name](fd, flags, pointer, length, ...rest)
      return attempt(() => {
        refuseLinks(resolve(directory, pointer, length))
        return guards[name](fd, 0, pointer, length, ...rest)
      })
    }

  const write =
    (name) =>
    (fd, ...rest) =>
      open.get(fd)?.root.isReadOnly ? ERRNO.EROFS : guards[name](fd, ...rest)

  /** Makes and empties a file as the flags say: WASI would do it by name. */
  function prepareFile(place, flags) {
    const { O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants
    const wanted = [
      ((flags & CREATE) !== 0 && O_CREAT) || 0,
      ((flags & EXCLUSIVE) !== 0 && O_EXCL) || 0,
      ((flags & TRUNCATE) !== 0 && O_TRUNC) || 0
    ]
    const combined = wanted.reduce((all, flag) => all | flag, O_WRONLY | O_NOFOLLOW | O_NONBLOCK)
    inParent(place, (path) => closeSync(openSync(path, combined, 0o644)))
  }

  function openBelow(directory, [fd, , pointer, length, flags, base, inheriting, fdFlags, result]) {
    const { root } = directory
    const isChanging = (flags & (CREATE | TRUNCATE)) !== 0
    if (root.isReadOnly && (isChanging || (BigInt(base) & (1n << 6n)) !== 0n)) return ERRNO.EROFS
    const place = resolve(directory, pointer, length)
    refuseLinks(place)
    if (isChanging) prepareFile(place, flags)
    const rights = root.isReadOnly ? [BigInt(base) & ~CHANGING_RIGHTS, BigInt(inheriting) & ~CHANGING_RIGHTS] : [base, inheriting]
    const errno = guards.path_open(fd, 0, pointer, length, flags & OPEN_EXISTING, ...rights, fdFlags, result)
    checkOpen()
    if (errno !== SUCCESS) return errno
    const opened = new DataView(memory().buffer).getUint32(result >>> 0, true)
    const isDirectory = lstatSync(place.path, { throwIfNoEntry: false })?.isDirectory() === true
    open.set(opened, { root, path: isDirectory ? place.path : undefined })
    return SUCCESS
  }

  return {
    ...guards,
    path_open: (fd, ...rest) => {
      const directory = open.get(fd)
      return directory === undefined ? guards.path_open(fd, ...rest) : attempt(() => openBelow(directory, [fd, ...rest]))
    },
    path_create_directory: change('path_create_directory', (path) => mkdirSync(path, 0o755)),
    path_remove_directory: change('path_remove_directory', (path) => rmdirSync(path)),
    path_unlink_file: change('path_unlink_file', (path) => unlinkSync(path)),
    path_rename: (from, fromPointer, fromLength, to, toPointer, toLength) => {
      const [source, target] = [open.get(from), open.get(to)]
      if (source === undefined && target === undefined) {
        return guards.path_rename(from, fromPointer, fromLength, to, toPointer, toLength)
      }
      return attempt(() => {
        if (source?.root !== target?.root) return ERRNO.EXDEV
        if (source.root.isReadOnly) return ERRNO.EROFS
        inParent(resolve(source, fromPointer, fromLength), (before_) =>
          inParent(resolve(target, toPointer, toLength), (after) => renameSync(before_, after))
        )
        return SUCCESS
      })
    },
    path_filestat_get: look('path_filestat_get'),
    path_filestat_set_times: (fd, ...rest) => (open.has(fd) ? ERRNO.ENOTSUP : guards.path_filestat_set_times(fd, ...rest)),
    path_readlink: (fd, ...rest) => (open.has(fd) ? ERRNO.EINVAL : guards.path_readlink(fd, ...rest)),
    fd_write: write('fd_write'),
    fd_pwrite: write('fd_pwrite'),
    fd_allocate: write('fd_allocate'),
    fd_filestat_set_size: write('fd_filestat_set_size'),
    fd_filestat_set_times: write('fd_filestat_set_times'),
    fd_close: (fd) => {
      const errno = guards.fd_close(fd)
      if (errno === SUCCESS && fd > 2) open.delete(fd)
      return errno
    },
    fd_renumber: (from, to) => {
      const errno = guards.fd_renumber(from, to)
      if (errno !== SUCCESS) return errno
      const moved = open.get(from)
      open.delete(from)
      if (moved === undefined) open.delete(to)
      else open.set(to, moved)
      return errno
    }
  }
}
