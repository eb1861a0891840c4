import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Bytes } from '../base/index.ts'
import { BusyError } from './errors.ts'

/** What all clients of one listener may hold at once. */
export interface AdmissionLimits {
  /** Requests that are served at once. */
  readonly requests: number
  /** Requests of one connection that are served at once: more is pipelining, which no client of ours needs. */
  readonly perConnection: number
  /** Bytes of all bodies that are held at once. */
  readonly bodies: Bytes
  /** Largest body: what a request that does not tell its length counts as. */
  readonly body: Bytes
}

/** Lets requests in while there is room for them. */
export interface Admission {
  /**
   * Takes a request in, until its response is closed.
   *
   * @throws BusyError when there is no room.
   */
  admit(request: IncomingMessage, response: ServerResponse): void
}

/**
 * Creates an {@link Admission}.
 *
 * The port and the socket have one each, so the owner gets in by the socket while the port is flooded.
 */
export function createAdmission(limits: AdmissionLimits): Admission {
  const byConnection = new WeakMap<Socket, number>()
  let requests = 0
  let bytes = 0
  return {
    admit(request, response) {
      const { socket } = request
      const size = Math.min(announcedSize(request) ?? limits.body, limits.body)
      const ofConnection = byConnection.get(socket) ?? 0
      if (ofConnection >= limits.perConnection) {
        throw new BusyError(`${limits.perConnection} requests of this connection are being served; wait for their answers`)
      }
      if (requests >= limits.requests || bytes + size > limits.bodies) {
        throw new BusyError('the node is busy with other requests; try again in a moment')
      }
      requests += 1
      bytes += size
      byConnection.set(socket, ofConnection + 1)
      response.once('close', () => {
        requests -= 1
        bytes -= size
        byConnection.set(socket, (byConnection.get(socket) ?? 1) - 1)
      })
    }
  }
}

/** The size of a body as its headers tell it; nothing when it comes in pieces without one. */
function announcedSize({ headers }: IncomingMessage): number | undefined {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : undefined
}
