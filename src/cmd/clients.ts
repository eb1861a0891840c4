import { type Client, createClient } from '../client/index.ts'
import type { Config } from '../config/index.ts'
import type { Io } from './io.ts'

/** The client of the node that a configuration names. */
export function clientOf({ rest }: Config, { clock }: Io): Client {
  return createClient({ host: reachable(rest.addr), port: rest.port, clock })
}

/** Where that node listens, as `127.0.0.1:9999`. */
export function placeOf({ rest }: Config): string {
  const host = reachable(rest.addr)
  return `${host.includes(':') ? `[${host}]` : host}:${rest.port}`
}

/** A server that listens on all addresses is reached on this machine's own. */
function reachable(address: string): string {
  if (address === '' || address === '0.0.0.0') return '127.0.0.1'
  return address === '::' ? '::1' : address
}
