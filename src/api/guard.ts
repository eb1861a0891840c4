import { isIP } from 'node:net'
import { ForeignHostError, ForeignOriginError } from './errors.ts'

/** The web pages that may use the interface: the appliance's front end and its development server (B §8). */
const ALLOWED_ORIGINS: ReadonlySet<string> = new Set(['http://localhost:9991', 'http://localhost:9992'])

/** What this machine is always called. */
const LOCAL_NAMES: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/** Addresses that stand for every address of the machine. */
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** What the preflight of an allowed page is told (B §8); 12 hours in seconds. */
export const PREFLIGHT_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Methods': 'GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS',
  'Access-Control-Allow-Headers': 'Access-Control-Allow-Origin,Origin,Content-Length,Content-Type',
  'Access-Control-Max-Age': '43200'
}

/** Lets through what programs of this machine and the allowed pages send. */
export interface Guard {
  /**
   * Checks the `Host` and `Origin` headers of a request.
   *
   * The interface has no password, so a web page must not reach it: neither under a DNS name that was pointed at this machine
   * later, nor across origins.
   *
   * @throws ForeignHostError, ForeignOriginError
   * @returns The headers that let an allowed page read the answer; none for a program.
   */
  check(headers: { readonly host?: string | undefined; readonly origin?: string | undefined }): Readonly<Record<string, string>>
}

/**
 * Creates the guard of a server that listens on `host`.
 *
 * The port of the `Host` header is not compared: tunnels change it. On a wildcard address every IP address is let through,
 * for only a name can be rebound.
 */
export function createGuard(host: string): Guard {
  const names = new Set([...LOCAL_NAMES, host.toLowerCase(), bracketed(host.toLowerCase())])
  const isAddress = (name: string): boolean => isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
  return {
    check({ host: header = '', origin }) {
      const name = header.toLowerCase().replace(/:\d*$/, '')
      if (!names.has(name) && !(WILDCARDS.has(host) && isAddress(name))) {
        throw new ForeignHostError(`the Host header ${JSON.stringify(header)} does not name this node (${[...names].join(', ')})`)
      }
      if (origin === undefined) return {}
      if (!ALLOWED_ORIGINS.has(origin)) {
        throw new ForeignOriginError(
          `pages of ${JSON.stringify(origin)} may not use this interface; only ${[...ALLOWED_ORIGINS].join(' and ')} may`
        )
      }
      return { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' }
    }
  }
}

/** The form in which a `Host` header names an address. */
function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host
}
