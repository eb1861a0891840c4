import { setMaxListeners } from 'node:events'
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import {
  type Clock,
  errorMessage,
  hasErrno,
  linkSignals,
  type Millis,
  millis,
  type Service,
  seconds,
  withTimeout
} from '../base/index.ts'
import { readPrivateFile, withFileLock } from '../db/index.ts'
import { AgentFailedError, AgentRunningError } from './errors.ts'
import { encodeFrame, readFrame } from './frame.ts'
import { createKeyRing, type KeyRing } from './key-ring.ts'
import { type AgentReply, type AgentRequest, encodeReply, parseRequest } from './messages.ts'

/** Connections at a time; more are closed at once, and the command asks for the passphrase. */
const MAX_CONNECTIONS = 64

/** How long a connection may take for its one request and its answer. */
const CONNECTION_TIME = seconds(5)

/** How long an agent waits for its first key. */
const GRACE = seconds(10)

/** How often it looks at the clock and at its socket: what a sleep of the machine can add to the time of a key in memory. */
const WATCH_INTERVAL = seconds(5)

/** What {@link createAgentServer} needs. */
export interface AgentServerOptions {
  /** In a directory that only this user can enter. */
  readonly socketPath: string
  readonly clock: Clock
  /** Time that nobody can set back. */
  readonly uptime: () => Millis
}

/** An agent that serves its socket. */
export interface AgentServer extends Service {
  /** Resolves when it ended: it was stopped, its last key was locked or its time was over, nobody gave it a key, or its socket is gone. */
  readonly ended: Promise<void>
}

/**
 * Creates the agent: it holds unlocked keys in memory and signs with them for whoever can reach its socket.
 *
 * It never gives a private key out. When it ends, the keys are wiped and the socket is removed.
 */
export function createAgentServer({ socketPath, clock, uptime }: AgentServerOptions): AgentServer {
  const ring = createKeyRing({ clock, uptime, readFile: readQuietly })
  const open = new Set<Socket>()
  const stopping = new AbortController()
  const { ended, end } = deferred()
  let server: Server | undefined
  let hasHeldKey = false
  let wakeWatcher = (): void => undefined
  setMaxListeners(0, stopping.signal)

  async function serve(socket: Socket): Promise<void> {
    open.add(socket)
    // a peer that is gone is noticed by the reader and the writer
    socket.on('error', () => undefined)
    try {
      await withTimeout(
        clock,
        CONNECTION_TIME,
        'a request to the agent',
        async (signal) => {
          const reply = await answerFrom(socket, ring, signal)
          hasHeldKey ||= ring.size > 0
          wakeWatcher()
          const { header, body } = encodeReply(reply)
          await new Promise<void>((resolve) => socket.end(encodeFrame(header, body), () => resolve()))
        },
        { signal: stopping.signal }
      )
    } catch {
      // the peer was too slow or is gone, or the agent ends: nobody is left to be told
    } finally {
      socket.destroy()
      open.delete(socket)
      await endIfIdle()
    }
  }

  async function endIfIdle(): Promise<void> {
    if (hasHeldKey && ring.size === 0 && open.size === 0) await stop()
  }

  async function watch(): Promise<void> {
    const startedAt = uptime()
    const inode = lstatSync(socketPath).ino
    while (!stopping.signal.aborted) {
      ring.dropExpired()
      const isUnused = !hasHeldKey && uptime() - startedAt >= GRACE
      if (isUnused || inodeOf(socketPath) !== inode) return await stop()
      await endIfIdle()
      const nap = linkSignals(stopping.signal)
      wakeWatcher = nap.end
      const duration = millis(Math.min(ring.nextExpiry ?? WATCH_INTERVAL, WATCH_INTERVAL))
      await clock.sleep(duration, { signal: nap.signal }).catch(() => undefined) // woken: a key came, or it ends
      nap.end()
    }
  }

  async function stop(): Promise<void> {
    ring.lock()
    stopping.abort()
    const closing = server
    server = undefined
    // also removes the socket, before it stops to listen
    if (closing !== undefined) await new Promise<void>((resolve) => closing.close(() => resolve()))
    end()
  }

  return {
    name: 'agent',
    ended,
    async start() {
      server = await withFileLock(socketPath, () => listen(socketPath, serve))
      watch().catch(() => stop()) // the socket is out of reach: nobody comes, so no key may stay
    },
    stop
  }
}

function deferred(): { readonly ended: Promise<void>; readonly end: () => void } {
  let end = (): void => undefined
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  return { ended, end }
}

async function answerFrom(socket: Socket, ring: KeyRing, signal: AbortSignal): Promise<AgentReply> {
  try {
    const request = parseRequest(await readFrame(socket, { signal }))
    if (request.ok) return await answer(request.value, ring)
    return { ok: false, reason: 'refused', message: `not a request: ${request.error.path} ${request.error.message}` }
  } catch (error) {
    if (error instanceof AgentFailedError) throw error
    return { ok: false, reason: 'refused', message: errorMessage(error) }
  }
}

async function answer(request: AgentRequest, ring: KeyRing): Promise<AgentReply> {
  switch (request.type) {
    case 'list':
      return { ok: true, keys: await ring.list() }
    case 'find': {
      const key = await ring.find(request.name)
      return key === undefined ? lockedReply(request.name) : { ok: true, keys: [key] }
    }
    case 'sign': {
      const signature = await ring.sign(request.name, request.did, request.message)
      return signature === undefined ? lockedReply(request.name) : { ok: true, signature }
    }
    case 'unlock': {
      const key = ring.unlock(request)
      if (key.ok) return { ok: true, keys: [key.value] }
      request.privateKey.fill(0)
      return { ok: false, reason: 'refused', message: key.error }
    }
    case 'lock':
      return { ok: true, keys: ring.lock(request.name) }
  }
}

function lockedReply(name: string): AgentReply {
  return { ok: false, reason: 'locked', message: `the key ${JSON.stringify(name)} is not unlocked` }
}

/** A key whose file cannot be read is not used: why does not matter here. */
async function readQuietly(path: string): Promise<string | undefined> {
  return await readPrivateFile(path).catch(() => undefined)
}

async function listen(socketPath: string, serve: (socket: Socket) => Promise<void>): Promise<Server> {
  if (await isServed(socketPath)) throw new AgentRunningError(`an agent listens at ${socketPath} already`)
  removeStale(socketPath)
  const server = createServer((socket) => {
    serve(socket).catch(() => socket.destroy()) // nothing that it does can fail but the end of the agent
  })
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(new AgentFailedError(`the agent cannot listen at ${socketPath}: ${error.message}`, { cause: error }))
    server.once('error', fail)
    server.listen(socketPath, () => {
      server.off('error', fail)
      resolve()
    })
  })
  chmodSync(socketPath, 0o600)
  return server
}

/** Whether somebody listens; an agent that was killed leaves its socket behind, and nobody answers there. */
function isServed(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => resolve(!hasErrno(error, 'ENOENT') && !hasErrno(error, 'ECONNREFUSED')))
  })
}

function removeStale(socketPath: string): void {
  try {
    unlinkSync(socketPath)
  } catch (error) {
    if (!hasErrno(error, 'ENOENT'))
      throw new AgentFailedError(`cannot remove ${socketPath}: ${errorMessage(error)}`, { cause: error })
  }
}

function inodeOf(path: string): number | undefined {
  try {
    return lstatSync(path).ino
  } catch {
    return undefined // gone, or out of reach: either way nobody comes through it
  }
}
