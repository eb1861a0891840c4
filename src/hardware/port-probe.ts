import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

/** Says which ports of this machine a program uses. */
export interface HostPorts {
  /**
   * Whether no program uses a port, neither by TCP nor by UDP, at any address of the machine.
   *
   * Found out by taking it for a moment; a port that this process may not take counts as used.
   */
  isFree(port: number): Promise<boolean>
}

/** Creates the probe of this machine's ports. */
export function createHostPorts(): HostPorts {
  return {
    isFree: async (port) => (await isFreeAt(port, tryTcp)) && (await isFreeAt(port, tryUdp))
  }
}

type Attempt = (port: number, host: '::' | '0.0.0.0') => Promise<string | undefined>

/** `::` covers the addresses of both families; where there is no IPv6, those of IPv4 are all there are. */
async function isFreeAt(port: number, attempt: Attempt): Promise<boolean> {
  const code = await attempt(port, '::')
  const hasNoIpv6 = code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL' || code === 'EINVAL'
  return (hasNoIpv6 ? await attempt(port, '0.0.0.0') : code) === undefined
}

/** The code of the error with which a listener fails, or nothing when it listens; it is closed at once. */
function tryTcp(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

function tryUdp(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: host === '::' ? 'udp6' : 'udp4', ipv6Only: false })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close()
      resolve(error.code ?? 'unknown')
    })
    socket.bind({ port, address: host, exclusive: true }, () => socket.close(() => resolve(undefined)))
  })
}
