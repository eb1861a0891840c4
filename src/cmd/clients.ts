import { type Client, createClient } from '../client/index.ts'
import { type Config, restPlaces } from '../config/index.ts'
import type { Io } from './io.ts'

/** The client of the node that a configuration names. */
export function clientOf(config: Config, { clock }: Io): Client {
  const { tcp, socket } = restPlaces(config)
  return createClient({
    ...(tcp === undefined ? {} : { tcp: { host: reachable(tcp.host), port: tcp.port } }),
    ...(socket === undefined || !isThisMachine(tcp?.host) ? {} : { socket }),
    clock
  })
}

/** Where that node listens, as `127.0.0.1:9999` or `unix:/run/nunet/dms.sock`. */
export function placeOf(config: Config): string {
  const { tcp, socket = '' } = restPlaces(config)
  if (tcp === undefined) return `unix:${socket}`
  const host = reachable(tcp.host)
  return `${host.includes(':') ? `[${host}]` : host}:${tcp.port}`
}

/** Whether an address can only mean the node of this machine, so that its socket is the same node. */
function isThisMachine(host: string | undefined): boolean {
  return host === undefined || /^$|^localhost$|^127\.|^::1$|^0\.0\.0\.0$|^::$/i.test(host)
}

/** A server that listens on all addresses is reached on this machine's own. */
function reachable(address: string): string {
  if (address === '' || address === '0.0.0.0') return '127.0.0.1'
  return address === '::' ? '::1' : address
}
