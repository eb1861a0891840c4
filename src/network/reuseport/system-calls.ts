import { getSystemErrorName } from 'node:util'
import { errorMessage } from '../../base/index.ts'

/** An IP address without a zone, and a port. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/**
 * What Node cannot do: sockets that share a port. Every descriptor that leaves this file belongs to who asked for it; on every
 * failure it is closed here.
 */
export interface PortSharing {
  /** A listening socket whose port {@link bind} may share. Throws {@link SystemCallError}, `EADDRINUSE` when somebody else listens there. */
  listen(at: Endpoint): number
  /** A socket bound to the port of a listener of this process, not connected. Throws {@link SystemCallError}. */
  bind(at: Endpoint): number
}

/** A system call failed; the message has the same words as an error of Node. */
export class SystemCallError extends Error {
  /** Such as `EADDRINUSE`. */
  readonly code: string

  constructor(call: string, errno: number, { host, port }: Endpoint) {
    const code = errno === 0 ? 'EINVAL' : getSystemErrorName(-errno)
    super(`${call} ${code} ${host}:${port}`)
    this.name = 'SystemCallError'
    this.code = code
  }
}

/** Linux on x86-64 and arm64 has the same numbers. */
const AF_INET = 2
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4_000
const SOCK_CLOEXEC = 0o2_000_000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_REUSEPORT = 15
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const BACKLOG = 511

/** Why a port cannot be shared here, or how it is. */
export type LoadedPortSharing =
  | { readonly available: true; readonly sharing: PortSharing }
  | { readonly available: false; readonly reason: string }

/** Loads the system calls; where they are not to be had, says why. */
export async function loadPortSharing(platform = process.platform, architecture = process.arch): Promise<LoadedPortSharing> {
  if (platform !== 'linux' || (architecture !== 'x64' && architecture !== 'arm64')) {
    return { available: false, reason: `only Linux on x86-64 and arm64 is supported, this is ${platform} on ${architecture}` }
  }
  try {
    return { available: true, sharing: createPortSharing(await loadCalls()) }
  } catch (error) {
    return { available: false, reason: errorMessage(error) }
  }
}

/** The C functions, by their manual pages; all return -1 on failure. */
interface Calls {
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly setsockopt: (fd: number, level: number, name: number, value: Uint8Array, length: number) => number
  readonly bind: (fd: number, address: Uint8Array, length: number) => number
  readonly listen: (fd: number, backlog: number) => number
  readonly close: (fd: number) => number
  readonly inet_pton: (family: number, text: string, bytes: Uint8Array) => number
  readonly errno: () => number
}

async function loadCalls(): Promise<Calls> {
  const { default: koffi } = await import('koffi')
  const process = koffi.load(null) // the C library that Node itself uses, whatever its file is called
  return {
    socket: process.func('int socket(int, int, int)'),
    setsockopt: process.func('int setsockopt(int, int, int, const void *, int)'),
    bind: process.func('int bind(int, const void *, int)'),
    listen: process.func('int listen(int, int)'),
    close: process.func('int close(int)'),
    inet_pton: process.func('int inet_pton(int, const char *, _Out_ uint8_t *)'),
    errno: () => koffi.errno()
  }
}

function createPortSharing(calls: Calls): PortSharing {
  function socketAt(at: Endpoint, options: readonly number[]): number {
    const family = at.host.includes(':') ? AF_INET6 : AF_INET
    const address = socketAddress(family, at)
    const fd = calls.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if (fd < 0) throw new SystemCallError('socket', calls.errno(), at)
    closingOnFailure(fd, () => {
      for (const option of options) turnOn(fd, SOL_SOCKET, option, at)
      if (family === AF_INET6) turnOn(fd, IPPROTO_IPV6, IPV6_V6ONLY, at)
      if (calls.bind(fd, address, address.length) < 0) throw new SystemCallError('bind', calls.errno(), at)
    })
    return fd
  }

  function closingOnFailure(fd: number, work: () => void): void {
    try {
      work()
    } catch (error) {
      calls.close(fd)
      throw error
    }
  }

  function turnOn(fd: number, level: number, option: number, at: Endpoint): void {
    if (calls.setsockopt(fd, level, option, Uint8Array.of(1, 0, 0, 0), 4) < 0)
      throw new SystemCallError('setsockopt', calls.errno(), at)
  }

  function startListening(fd: number, at: Endpoint): void {
    if (calls.listen(fd, BACKLOG) < 0) throw new SystemCallError('listen', calls.errno(), at)
  }

  function socketAddress(family: number, at: Endpoint): Uint8Array {
    const address = new Uint8Array(family === AF_INET6 ? 28 : 16)
    const view = new DataView(address.buffer)
    view.setUint16(0, family, true)
    view.setUint16(2, at.port)
    if (calls.inet_pton(family, at.host, address.subarray(family === AF_INET6 ? 8 : 4)) !== 1)
      throw new SystemCallError('inet_pton', 0, at)
    return address
  }

  /**
   * Two programs of one user could share a port without knowing: each would get a part of the connections. A socket that does not
   * share says whether somebody is there.
   */
  function refuseTaken(at: Endpoint): void {
    if (at.port === 0) return
    const fd = socketAt(at, [SO_REUSEADDR])
    closingOnFailure(fd, () => startListening(fd, at))
    calls.close(fd)
  }

  return {
    listen(at) {
      refuseTaken(at)
      const fd = socketAt(at, [SO_REUSEADDR, SO_REUSEPORT])
      closingOnFailure(fd, () => startListening(fd, at))
      return fd
    },
    bind: (at) => socketAt(at, [SO_REUSEADDR, SO_REUSEPORT])
  }
}
