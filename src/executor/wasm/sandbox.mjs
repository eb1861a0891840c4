// Runs one WASI module inside a worker of runner.mjs.
//
// Node's WASI follows symbolic links out of the preopened directory, lets a module fill the disk and raises signals in
// its own process, so every call that could do harm is guarded here: no links, own output, a budget of bytes on disk.
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, realpathSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { WASI } from 'node:wasi'
import { parentPort, workerData } from 'node:worker_threads'
import { guardMounts } from './mounts.mjs'

const SUCCESS = 0
const ERRNO_BADF = 8
const ERRNO_FAULT = 21
const ERRNO_INVAL = 28
const ERRNO_MFILE = 33
const ERRNO_NOSPC = 51
const ERRNO_NOTSUP = 58

/** Exit code of a module that trapped, like a program that called `abort`. */
const CODE_TRAPPED = 134
/** Exit code of a module that cannot be run at all, like a shell's for a file that is no program. */
const CODE_NOT_EXECUTABLE = 126

const MAX_VECTORS = 1024
/** The supervisor needs descriptors too, to say how the module ended. */
const MAX_DESCRIPTORS = 512
/** What a file or directory costs besides its content, so that a module cannot use up the inodes for nothing. */
const ENTRY_COST = 4096
const CREATE = 1

const { directory, data, args, environment, disk, logBytes, mounts } = workerData

/** Writes at most `logBytes` to the file; the rest is dropped, which the file says at its end. */
function createLog(name) {
  const file = openSync(join(directory, name), 'a', 0o600)
  let left = logBytes
  function append(part) {
    for (let at = 0; at < part.length; ) at += writeSync(file, part, at)
  }
  return {
    write(part) {
      if (left <= 0) return
      append(part.subarray(0, left))
      left -= part.length
      if (left <= 0) append(Buffer.from(`\n[output beyond ${logBytes} bytes is dropped]\n`))
    },
    close: () => closeSync(file)
  }
}

/** Bytes and entries below `path`; a symbolic link is refused, as following it could lead anywhere. */
function measure(path) {
  let total = 0
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name)
    if (entry.isSymbolicLink()) throw new Error('the data directory contains a symbolic link')
    const { size, blocks } = lstatSync(child)
    total += ENTRY_COST + (entry.isDirectory() ? measure(child) : Math.max(size, blocks * 512))
  }
  return total
}

/** Whether `amount` more bytes fit; counts what was asked for and looks at the disk again only when that is used up. */
function createBudget() {
  let left = disk - measure(data)
  return (amount) => {
    if (amount > left) left = disk - measure(data)
    if (amount > left) return false
    left -= amount
    return true
  }
}

/** A 64-bit argument, which arrives signed. */
const unsigned = (value) => Number(BigInt.asUintN(64, value))

function createGuards(imports, memory) {
  const logs = { 1: createLog('stdout.log'), 2: createLog('stderr.log') }
  const spend = createBudget()
  const isStandard = (fd) => fd >= 0 && fd <= 2

  /** The parts of memory that a list of vectors names; throws RangeError beyond the memory. */
  function vectors(pointer, count) {
    const view = new DataView(memory().buffer)
    return Array.from({ length: count }, (_, index) => {
      const at = (pointer >>> 0) + index * 8
      return new Uint8Array(view.buffer, view.getUint32(at, true), view.getUint32(at + 4, true))
    })
  }

  function writeLog(log, parts, written) {
    for (const part of parts) log.write(part)
    const total = parts.reduce((sum, part) => sum + part.length, 0)
    new DataView(memory().buffer).setUint32(written >>> 0, total, true)
    return SUCCESS
  }

  function guardedWrite(original) {
    return (fd, pointer, count, ...rest) => {
      if (count >>> 0 > MAX_VECTORS) return ERRNO_INVAL
      try {
        const parts = vectors(pointer, count >>> 0)
        const log = logs[fd]
        if (log !== undefined) return writeLog(log, parts, rest[rest.length - 1])
        const size = parts.reduce((sum, part) => sum + part.length, 0)
        return spend(size) ? original(fd, pointer, count, ...rest) : ERRNO_NOSPC
      } catch (error) {
        if (error instanceof RangeError) return ERRNO_FAULT
        throw error
      }
    }
  }

  /** Descriptors that the module has opened and not closed. */
  let descriptors = 0
  function openFile(...values) {
    if (descriptors >= MAX_DESCRIPTORS) return ERRNO_MFILE
    const errno = imports.path_open(...values)
    if (errno === SUCCESS) descriptors += 1
    return errno
  }
  function closeFile(fd) {
    if (isStandard(fd)) return SUCCESS // a descriptor 0, 1 or 2 that meant something else would be written to the logs
    const errno = imports.fd_close(fd)
    if (errno === SUCCESS) descriptors -= 1
    return errno
  }
  function renumberFile(from, to) {
    if (isStandard(from) || isStandard(to)) return ERRNO_BADF
    const errno = imports.fd_renumber(from, to)
    if (errno === SUCCESS && from !== to) descriptors -= 1 // what was `to` is closed by it
    return errno
  }

  const spendFirst =
    (original, cost) =>
    (...values) =>
      spend(cost(...values)) ? original(...values) : ERRNO_NOSPC
  return {
    ...imports,
    fd_write: guardedWrite(imports.fd_write),
    fd_pwrite: guardedWrite(imports.fd_pwrite),
    fd_allocate: spendFirst(imports.fd_allocate, (_fd, offset, length) => unsigned(offset) + unsigned(length)),
    fd_filestat_set_size: spendFirst(imports.fd_filestat_set_size, (_fd, size) => unsigned(size)),
    path_create_directory: spendFirst(imports.path_create_directory, () => ENTRY_COST),
    path_open: spendFirst(openFile, (_fd, _flags, _path, _length, open) => ((open & CREATE) === 0 ? 0 : ENTRY_COST)),
    fd_close: closeFile,
    fd_renumber: renumberFile,
    // nobody gives a module sockets, and Node dies of some of these calls on other descriptors
    sock_accept: () => ERRNO_NOTSUP,
    sock_recv: () => ERRNO_NOTSUP,
    sock_send: () => ERRNO_NOTSUP,
    sock_shutdown: () => ERRNO_NOTSUP,
    path_symlink: () => ERRNO_NOTSUP,
    path_link: () => ERRNO_NOTSUP,
    proc_raise: () => ERRNO_NOTSUP
  }
}

/** Error output of this program itself, where a reader of the module's logs sees it. */
function complain(text) {
  const log = createLog('stderr.log')
  log.write(Buffer.from(`${text}\n`))
  log.close()
}

/** A file outside of the mounts is open: this thread never goes on, and the supervisor ends the process. */
function onEscape() {
  parentPort.postMessage({ escaped: true })
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

function instantiate(wasi) {
  let instance
  const memory = () => instance.exports.memory
  const guards = createGuards(wasi.getImportObject().wasi_snapshot_preview1, memory)
  const own = [data, directory].map((path) => realpathSync(path))
  const imports = mounts.length === 0 ? guards : guardMounts({ guards, mounts, memory, own, onEscape })
  const module = new WebAssembly.Module(readFileSync(join(directory, 'module.wasm')))
  instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports })
  if (typeof instance.exports._start !== 'function') throw new Error('the module exports no function _start')
  return instance
}

function runModule() {
  const preopens = { '/': data, ...Object.fromEntries(mounts.map(({ source, target }) => [target, source])) }
  const wasi = new WASI({ version: 'preview1', args, env: environment, preopens, returnOnExit: true })
  let instance
  try {
    instance = instantiate(wasi)
  } catch (error) {
    complain(`the module cannot be run: ${error.message}`)
    return CODE_NOT_EXECUTABLE
  }
  try {
    return wasi.start(instance)
  } catch (error) {
    complain(`the module trapped: ${error.message}`)
    return CODE_TRAPPED
  }
}

parentPort.postMessage({ code: runModule() })
