import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { constants } from 'node:fs'
import { access, open, readdir, stat, statfs } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { release } from 'node:os'
import { hasErrno, isJsonObject, millis } from '../base/index.ts'
import type { FileStatus, HttpPlace, ListenPlace, ProcessFacts, System } from './types.ts'

const MAX_TEXT = 2 ** 20
/** How long a program or an answer may take, in milliseconds. */
const PATIENCE = 1000
/** What a program of the system needs; nothing of ours, which may hold secrets. */
const CLEAN_ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

/** The system that this process runs on. */
export function createLocalSystem(): System {
  return {
    process: processFacts(),
    text: (path) => readText(path).catch(() => undefined), // missing or forbidden: the checks say what they could not read
    names: async (path) => (await readdir(path).catch(() => undefined))?.sort(),
    status: (path) => readStatus(path).catch(() => undefined),
    mayWrite: (path) => may(path, constants.W_OK | constants.X_OK),
    mayReadAndWrite: (path) => may(path, constants.R_OK | constants.W_OK),
    async space(path) {
      const found = await statfs(path).catch(() => undefined)
      if (found === undefined) return undefined
      const { bsize, blocks, bfree, bavail, ffree, files } = found
      return { free: bavail * bsize, total: (blocks - bfree + bavail) * bsize, freeFiles: ffree, totalFiles: files }
    },
    run: runProgram,
    tryListen,
    get: fetchText,
    isAlive
  }
}

function processFacts(): ProcessFacts {
  const glibc = glibcVersion()
  return {
    platform: process.platform,
    architecture: process.arch,
    nodeVersion: process.versions.node,
    ...(glibc === undefined ? {} : { glibc }),
    kernel: release(),
    uid: process.getuid?.() ?? 0,
    groups: process.getgroups?.() ?? []
  }
}

function glibcVersion(): string | undefined {
  const report: unknown = process.report.getReport()
  const header = isJsonObject(report) ? report['header'] : undefined
  const version = isJsonObject(header) ? header['glibcVersionRuntime'] : undefined
  return typeof version === 'string' ? version : undefined
}

/** Files of the kernel say that they have no size, so what is read counts. A pipe in place of a file is not waited for. */
async function readText(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const buffer = Buffer.alloc(MAX_TEXT)
    let length = 0
    while (length < MAX_TEXT) {
      const { bytesRead } = await file.read(buffer, length, MAX_TEXT - length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return buffer.toString('utf8', 0, length)
  } finally {
    await file.close()
  }
}

async function readStatus(path: string): Promise<FileStatus> {
  const found = await stat(path)
  const type = found.isFile()
    ? 'file'
    : found.isDirectory()
      ? 'directory'
      : found.isSocket()
        ? 'socket'
        : found.isCharacterDevice() || found.isBlockDevice()
          ? 'device'
          : 'other'
  return { type, mode: found.mode & 0o7777, uid: found.uid, gid: found.gid, modifiedAt: millis(found.mtimeMs) }
}

async function may(path: string, mode: number): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false
  )
}

function runProgram(program: string, args: readonly string[]): ReturnType<System['run']> {
  return new Promise((resolve) => {
    const options = { env: CLEAN_ENVIRONMENT, timeout: PATIENCE, maxBuffer: MAX_TEXT, killSignal: 'SIGKILL' } as const
    execFile(program, args, options, (error, stdout) => {
      if (error === null) resolve({ code: 0, stdout })
      else resolve(typeof error.code === 'number' ? { code: error.code, stdout } : undefined)
    })
  })
}

function tryListen({ protocol, host, port }: ListenPlace): ReturnType<System['tryListen']> {
  return new Promise((resolve, reject) => {
    const refused = (error: Error): void => {
      if (hasErrno(error, 'EADDRINUSE')) resolve('in use')
      else if (hasErrno(error, 'EACCES') || hasErrno(error, 'EPERM')) resolve('forbidden')
      else if (hasErrno(error, 'EADDRNOTAVAIL') || hasErrno(error, 'ENOTFOUND')) resolve('no such address')
      else reject(error)
    }
    if (protocol === 'tcp') {
      const server = createServer().once('error', refused)
      server.listen({ host, port, exclusive: true }, () => server.close(() => resolve('free')))
    } else {
      const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' }).once('error', refused)
      socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve('free')))
    }
  })
}

function fetchText(place: HttpPlace, path: string): ReturnType<System['get']> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(PATIENCE)
    const outgoing = request({ ...place, path, signal, agent: false }, (incoming) => {
      const chunks: Buffer[] = []
      let size = 0
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_TEXT) incoming.destroy(new Error('the answer is too long'))
        else chunks.push(chunk)
      })
      incoming.on('error', () => resolve(undefined))
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }))
    })
    outgoing.on('error', () => resolve(undefined)) // nobody is there, or nobody who speaks HTTP
    outgoing.end()
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !hasErrno(error, 'ESRCH') // it lives, as another user
  }
}
