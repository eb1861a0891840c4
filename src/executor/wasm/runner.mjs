// Supervises one WASI module: runs it in a worker, keeps its limits, leaves its exit status in a file.
//
// Plain JavaScript, because it is started by path as a process of its own: `node runner.mjs <run directory>`.
// It owns no connection to the daemon, so it outlives it; everything goes through files in the run directory:
//   run.json      in   what to run (see run-files.ts)
//   module.wasm   in   the module
//   process.json  out  who supervises; made exactly once, so a second runner of the same run gives up
//   stdout.log, stderr.log  out
//   exit.json     out  how it ended; made exactly once
import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

const NICENESS = 10
const CHECK_MS = 100
/** What Node, V8 and the compiled code may use besides the module's own memory. */
const RUNTIME_MEMORY = 256 * 2 ** 20
const WORKER_HEAP_MIB = 64

const directory = process.argv[2] ?? ''

/** Creates the file with its whole content or not at all; false when it exists. */
function createOnce(name, value) {
  const temporary = join(directory, `${name}.${process.pid}`)
  writeFileSync(temporary, JSON.stringify(value), { mode: 0o600 })
  try {
    linkSync(temporary, join(directory, name))
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  } finally {
    unlinkSync(temporary)
  }
}

function identity() {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return { pid: process.pid, startTime, bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() }
}

function note(text) {
  writeFileSync(join(directory, 'stderr.log'), `${text}\n`, { flag: 'a', mode: 0o600 })
}

/** SIGKILL, because a module that blocks in a system call keeps the worker, and so an orderly exit, from ending. */
function finish(status) {
  createOnce('exit.json', status)
  process.kill(process.pid, 'SIGKILL')
}

function killed(signal, outOfMemory, text) {
  note(text)
  finish({ type: 'killed', signal, outOfMemory })
}

/** The single executable has no files beside it: its build puts the text of the sandbox in place of the global name. */
function sandbox() {
  const text = globalThis.NUNET_SANDBOX
  return text === undefined
    ? new URL('./sandbox.mjs', import.meta.url)
    : new URL(`data:text/javascript,${encodeURIComponent(text)}`)
}

/** Before the module runs, so that all it does counts; without its groups a run has fewer limits, but has some. */
function joinGroups(run) {
  for (const path of run.cgroups) {
    try {
      writeFileSync(path, String(process.pid))
    } catch (error) {
      process.stderr.write(`the control group ${path} cannot be joined: ${error.message}\n`)
    }
  }
}

function supervise(run) {
  const worker = new Worker(sandbox(), {
    workerData: { ...run, directory },
    env: {},
    stdin: false,
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MIB }
  })
  worker.on('message', ({ code, escaped }) => {
    if (escaped) killed('SIGKILL', false, 'the module was led out of its volumes by a symbolic link')
    else finish({ type: 'exited', code })
  })
  worker.on('error', (error) => {
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') killed('SIGKILL', true, 'the module used more memory than allowed')
    else killed('SIGABRT', false, `the module could not be run: ${error.message}`)
  })
  worker.on('exit', () => killed('SIGABRT', false, 'the module ended without an exit code'))
  setInterval(() => {
    if (process.memoryUsage.rss() > run.memory + RUNTIME_MEMORY) {
      killed('SIGKILL', true, `the module and its runtime used more than ${run.memory} + ${RUNTIME_MEMORY} bytes of memory`)
    }
    const { user, system } = process.cpuUsage()
    if (run.cpuTimeMs !== null && (user + system) / 1000 > run.cpuTimeMs) {
      killed('SIGXCPU', false, `the limit of ${run.cpuTimeMs} ms of processor time is over`)
    }
  }, CHECK_MS)
  if (run.timeoutMs !== null) {
    setTimeout(() => killed('SIGKILL', false, `the time limit of ${run.timeoutMs} ms is over`), run.timeoutMs)
  }
}

process.on('SIGTERM', () => finish({ type: 'killed', signal: 'SIGTERM', outOfMemory: false }))
if (createOnce('process.json', identity())) {
  setPriority(NICENESS)
  const run = JSON.parse(readFileSync(join(directory, 'run.json'), 'utf8'))
  joinGroups(run)
  supervise(run)
}
