import { join } from 'node:path'
import type { Config } from './schema.ts'

/** Where the REST interface of a node is; at least one of both. */
export interface RestPlaces {
  readonly tcp?: { readonly host: string; readonly port: number }
  /** Path of a Unix socket. */
  readonly socket?: string
  /** The operator named the socket, so a node that cannot listen there does not start; the default one is an offer. */
  readonly isSocketChosen: boolean
}

/** Begins an address that is a socket. */
const SOCKET_SCHEME = 'unix:'

/**
 * The places that a configuration names.
 *
 * The default socket has the port in its name, so that a command which was told another port does not end at this node by its
 * socket, and lies in the data directory, which one daemon holds at a time.
 */
export function restPlaces({ rest, general }: Pick<Config, 'rest' | 'general'>): RestPlaces {
  const { addr, port, socket } = rest
  if (addr.startsWith(SOCKET_SCHEME)) return { socket: addr.slice(SOCKET_SCHEME.length), isSocketChosen: true }
  const tcp = { host: addr, port }
  if (socket === 'none') return { tcp, isSocketChosen: false }
  if (socket !== 'auto') return { tcp, socket, isSocketChosen: true }
  return { tcp, socket: join(general.data_dir, 'run', `rest-${port}.sock`), isSocketChosen: false }
}
