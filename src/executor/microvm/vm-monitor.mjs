// Watches over one virtual machine: starts it, keeps its output, asks it to end, leaves its exit status in a file.
//
// Plain JavaScript, because it is started by path as a process of its own: `node vm-monitor.mjs <run directory>`.
// It owns no connection to the daemon, so it outlives it; everything goes through files in the run directory:
//   run.json      in   what to run (see run-files.ts)
//   process.json  out  who watches; made exactly once, so a second monitor of the same run gives up
//   machine.json  out  the process of the machine
//   stdout.log, stderr.log  out
//   control       a socket: `exec <limit> <base64>\n`, answered by `out <base64>\n`… and `end <code>\n`
//   exit.json     out  how it ended; made exactly once
// All that comes from the machine is hostile: lines, numbers and sizes are bounded.
import { spawn } from 'node:child_process'
import { appendFileSync, closeSync, linkSync, openSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

const directory = process.argv[2] ?? ''
process.chdir(directory) // the path of a socket must be short

const MAX_LINE = 8192
const MAX_REQUEST = 256 * 1024
const MAX_COMMANDS = 16
const MAX_UNREAD = 8 * 2 ** 20
/** Of the kernel's own words, kept for the moment in which the machine dies without a word of ours. */
const CONSOLE_TAIL = 4096
const END_LIMIT_MS = 2000

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

function identity(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return { pid, startTime, bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() }
}

/** A file that takes so many bytes and then says once that it drops the rest. */
function boundedFile(name, limit) {
  let left = limit
  return (data) => {
    if (left < 0) return
    const kept = data.subarray(0, left)
    if (kept.length > 0) appendFileSync(join(directory, name), kept, { mode: 0o600 })
    left -= data.length
    if (left < 0) appendFileSync(join(directory, name), `\n[output beyond ${limit} bytes is dropped]\n`)
  }
}

/** Calls back with each line; what is too long is dropped up to its end. */
function eachLine(stream, limit, onLine) {
  let pending = ''
  stream.setEncoding('latin1')
  stream.on('data', (text) => {
    const lines = (pending + text).split('\n')
    pending = lines.pop().slice(0, limit + 1)
    for (const line of lines) if (line.length <= limit) onLine(line)
  })
}

/** Commands that people run inside: each is a connection to the socket, and has a number in the machine. */
function serveCommands(state) {
  const waiting = new Map()
  let last = 0
  const server = createServer((connection) => {
    connection.on('error', () => connection.destroy())
    if (waiting.size >= MAX_COMMANDS || state.isOwn) return connection.end('busy\n')
    let id
    eachLine(connection, MAX_REQUEST, (line) => {
      const [, limit, text] = /^exec (\d{1,9}) ([A-Za-z0-9+/=]+)$/.exec(line) ?? []
      if (text === undefined || id !== undefined) return connection.destroy()
      last += 1
      id = String(last)
      const request = `exec ${id} ${limit} ${text}\n`
      waiting.set(id, { connection, request })
      if (state.isReady) state.control.write(request)
    })
    connection.on('close', () => {
      if (waiting.delete(id) && state.isReady) state.control.write(`kill ${id}\n`)
    })
  })
  server.on('error', (error) => process.stderr.write(`no commands can be run inside: ${error.message}\n`))
  rmSync('control', { force: true }) // of a start that was interrupted
  server.listen('control')
  return {
    begin() {
      for (const { request } of waiting.values()) state.control.write(request)
    },
    answer(verb, id, text) {
      const { connection } = waiting.get(id) ?? {}
      if (connection === undefined) return
      if (connection.writableLength > MAX_UNREAD) return connection.destroy()
      connection.write(`${verb} ${text}\n`)
      if (verb !== 'end') return
      waiting.delete(id)
      connection.end()
    },
    close() {
      server.close()
      for (const { connection } of waiting.values()) connection.destroy()
    }
  }
}

function joinGroups(pid, cgroups) {
  for (const path of cgroups) {
    try {
      writeFileSync(path, String(pid))
    } catch (error) {
      process.stderr.write(`the control group ${path} cannot be joined: ${error.message}\n`)
    }
  }
}

function startMachine(run) {
  const modes = run.open.map((path, index) => openSync(path, index < 2 ? 'r' : 'r+'))
  const [program, ...args] = run.command
  const child = spawn(program, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe', 'pipe', 'pipe', ...modes],
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    cwd: '/'
  })
  for (const descriptor of modes) closeSync(descriptor)
  return child
}

function supervise(run, state) {
  const stdout = boundedFile('stdout.log', run.logBytes)
  const stderr = boundedFile('stderr.log', run.logBytes)
  const child = startMachine(run)
  const [, , , console, out, err, control] = child.stdio
  Object.assign(state, { control, kill: () => child.kill('SIGKILL') })
  for (const channel of [console, out, err, control]) channel.on('error', () => undefined) // the end of the machine says it all
  const commands = serveCommands(state)
  if (child.pid !== undefined) {
    joinGroups(child.pid, run.cgroups)
    createOnce('machine.json', identity(child.pid))
  }
  out.on('data', stdout)
  err.on('data', stderr)
  console.on('data', (data) => {
    if (state.isOwn) stdout(data)
    state.tail = (state.tail + data.toString('latin1')).slice(-CONSOLE_TAIL)
  })
  eachLine(control, MAX_LINE, (line) => {
    const [verb, id = '', text = ''] = line.split(' ', 3)
    if (verb === 'ready') ready(state, commands)
    else if (verb === 'own') state.isOwn = true
    else if (verb === 'out' || verb === 'end') commands.answer(verb, id, text)
    else if (verb === 'exit' && state.end === undefined) {
      state.end = { code: Number(id) & 255, oomKills: Number(text) || 0 }
      child.kill('SIGTERM')
      setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS)
    }
  })
  child.on('error', (error) =>
    finish({ type: 'exited', code: 126 }, stderr, `the machine could not be started: ${error.message}`)
  )
  child.on('close', (code, signal) => {
    commands.close()
    finish(statusOf(state, code, signal), stderr, lastWords(state, code, signal))
  })
}

function ready(state, commands) {
  if (state.isReady) return
  state.isReady = true
  commands.begin()
  if (state.isStopping) state.control.write('stop\n')
}

/** `undefined` words: the job ended as jobs end. */
function lastWords({ end, isOwn, isStopping, tail }, code, signal) {
  if (end !== undefined || isStopping || (isOwn && code === 0)) return undefined
  const last = tail.replace(/[^\x20-\x7e\n]/g, '').trim()
  return `the machine ended without the job's exit status (${signal ?? `code ${code}`}); its last words: ${last || 'none'}`
}

function statusOf({ end, isOwn, isStopping, tail }, code, signal) {
  if (end === undefined) {
    if (isStopping) return { type: 'killed', signal: 'SIGTERM', outOfMemory: false }
    if (isOwn && code === 0) return { type: 'exited', code: 0 }
    return { type: 'killed', signal: signal ?? 'SIGABRT', outOfMemory: /Out of memory/i.test(tail) }
  }
  if (end.code === 137 && end.oomKills > 0) return { type: 'killed', signal: 'SIGKILL', outOfMemory: true }
  if (isStopping && end.code === 143) return { type: 'killed', signal: 'SIGTERM', outOfMemory: false }
  return { type: 'exited', code: end.code }
}

function finish(status, note, words) {
  if (words !== undefined) note(Buffer.from(`${words}\n`))
  createOnce('exit.json', status)
  process.exit(0)
}

const state = { control: undefined, kill: undefined, isReady: false, isOwn: false, isStopping: false, end: undefined, tail: '' }
// Before anybody can know this process: a request to stop must never end the monitor instead of its machine.
process.on('SIGTERM', () => {
  state.isStopping = true
  if (state.isReady) state.control.write('stop\n')
  else state.kill() // it is not up yet, or has an init of its own
})
if (createOnce('process.json', identity(process.pid))) {
  supervise(JSON.parse(readFileSync(join(directory, 'run.json'), 'utf8')), state)
}
