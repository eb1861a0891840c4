import { lstatSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'

/** A port that a node listens on. */
export interface TcpPlace {
  readonly host: string
  readonly port: number
}

/** Where a node listens; the socket is used first when it is there and nobody else could have put it there. */
export interface ClientPlaces {
  readonly tcp?: TcpPlace
  /** The path of a Unix socket; without a port it is used whoever made it, for the caller named it. */
  readonly socket?: string
}

/** One of them. */
export type Place = ({ readonly type: 'tcp' } & TcpPlace) | { readonly type: 'unix'; readonly path: string }

/** The places in the order in which they are tried. Costs two looks at the file system. */
export function placesToTry({ tcp, socket = '' }: ClientPlaces): readonly [Place, ...Place[]] {
  const unix: Place = { type: 'unix', path: socket }
  if (tcp === undefined) return [unix]
  const port: Place = { type: 'tcp', ...tcp }
  return isOwnSocket(socket) ? [unix, port] : [port]
}

/** A place for a message: `127.0.0.1:9999`, `unix:/run/nunet/dms.sock`. */
export function nameOf(place: Place): string {
  if (place.type === 'unix') return `unix:${place.path}`
  return `${place.host.includes(':') ? `[${place.host}]` : place.host}:${place.port}`
}

/** Whether a socket belongs to this user and lies where only this user can put one; links are not followed. */
function isOwnSocket(path: string): boolean {
  const uid = process.geteuid?.()
  if (uid === undefined || path === '') return false
  const socket = lstatOf(path)
  const directory = lstatOf(dirname(path))
  if (socket === undefined || directory === undefined) return false
  const isPrivate = directory.isDirectory() && directory.uid === uid && (directory.mode & 0o022) === 0
  return socket.isSocket() && socket.uid === uid && isPrivate
}

function lstatOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch {
    return undefined // missing or out of reach: either way it is not ours
  }
}
