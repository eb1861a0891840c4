import { chmodSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { type Bytes, errorMessage, hasErrno, type Millis, seconds } from '../base/index.ts'
import { ApiAddressError, ApiListenError, SocketPlaceError } from './errors.ts'
import { prepareSocket, socketInUse } from './socket-file.ts'

/** A port to listen on. */
export interface TcpPlace {
  /** `rest.addr` */
  readonly host: string
  /** `rest.port`; 0 takes a free one. */
  readonly port: number
}

/** Where one server listens. */
export type ListenPlace = ({ readonly type: 'tcp' } & TcpPlace) | { readonly type: 'unix'; readonly path: string }

/** What one server allows. */
export interface ListenerLimits {
  /** Connections at once. */
  readonly connections: number
  /** Connections of one address at once. */
  readonly perAddress: number
  /** How long a client may take to send a request. */
  readonly receive: Millis
  /** Bytes of all headers of a request. */
  readonly headers: Bytes
}

/** One HTTP server. */
export interface Listener {
  readonly server: Server
  /** @throws ApiListenError, ApiAddressError, SocketInUseError, SocketPlaceError */
  open(): Promise<void>
  /** Takes no new connections; those that are there stay. */
  refuse(): void
  /** Ends the connections that are left. */
  close(): Promise<void>
}

/** How long an idle connection is kept. */
const KEEP_ALIVE = seconds(5)

/** Requests after which a connection is closed, so that nobody keeps a place for ever. */
const REQUESTS_PER_CONNECTION = 1000

/** How long headers may take, which a client has at once. */
const HEADERS_TIME = seconds(10)

/** How often connections are checked for clients that take too long. */
const CHECK_INTERVAL = seconds(5)

/** Answers to what is not HTTP, by the code of Node's parser; everything else is a 400. */
const PARSER_ANSWERS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout'
}

/** Creates a server for one place; nothing listens before {@link Listener.open}. */
export function createListener(place: ListenPlace, limits: ListenerLimits, listener: RequestListener): Listener {
  const server = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE,
      requestTimeout: limits.receive,
      headersTimeout: Math.min(HEADERS_TIME, limits.receive),
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL, limits.receive),
      maxHeaderSize: limits.headers
    },
    listener
  )
  server.maxConnections = limits.connections
  server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION
  server.on('clientError', answerGarbage)
  if (place.type === 'tcp') limitAddresses(server, limits.perAddress)
  return {
    server,
    open: () => (place.type === 'tcp' ? openPort(server, place) : openSocket(server, place.path)),
    refuse: () => void server.close(),
    async close() {
      const closed = server.listening ? new Promise<void>((resolve) => server.close(() => resolve())) : Promise.resolve()
      server.closeAllConnections()
      await closed
    }
  }
}

async function openPort(server: Server, { host, port }: TcpPlace): Promise<void> {
  try {
    await listening(server, () => server.listen(port, host))
  } catch (error) {
    throw portFailure(error, host, port)
  }
}

async function openSocket(server: Server, path: string): Promise<void> {
  await prepareSocket(path)
  try {
    await listening(server, () => server.listen(path))
    closeToOthers(path)
  } catch (error) {
    if (hasErrno(error, 'EADDRINUSE')) throw socketInUse(path)
    throw new SocketPlaceError(`cannot listen on ${path} (rest.socket): ${errorMessage(error)}`, { cause: error })
  }
}

/** Its directory is private already, so nothing is lost when another daemon, starting now, has the name in its hands for a moment. */
function closeToOthers(path: string): void {
  try {
    chmodSync(path, 0o600)
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error
  }
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      resolve()
    })
    listen()
  })
}

function portFailure(error: unknown, host: string, port: number): Error {
  const place = `${host}:${port}`
  if (hasErrno(error, 'EADDRINUSE')) {
    return new ApiListenError(
      `cannot listen on ${place}: another program, perhaps another DMS, uses this port; choose another one with rest.port`,
      { cause: error, details: { host, port } }
    )
  }
  return new ApiAddressError(`cannot listen on ${place} (rest.addr, rest.port): ${errorMessage(error)}`, {
    cause: error,
    details: { host, port }
  })
}

/** Where the interface is open to other machines, one of them cannot take all connections. */
function limitAddresses(server: Server, limit: number): void {
  const open = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const { remoteAddress: address = '' } = socket
    const count = (open.get(address) ?? 0) + 1
    if (count > limit) return void socket.destroy()
    open.set(address, count)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left === 0) open.delete(address)
      else open.set(address, left)
    })
  })
}

function answerGarbage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || hasErrno(error, 'ECONNRESET')) return void socket.destroy()
  const status = PARSER_ANSWERS[error.code ?? ''] ?? '400 Bad Request'
  const body = `{"error":"${status.slice(4).toLowerCase()}","code":"API_BAD_REQUEST","kind":"invalid"}`
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
  )
}
