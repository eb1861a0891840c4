import { isIP } from 'node:net'
import { ForeignHostError, ForeignOriginError } from './errors.ts'

/** The web pages that may use the interface: the appliance's front end and its development server (B §8). */
const ALLOWED_ORIGINS: ReadonlySet<string> = new Set(['http://localhost:9991', 'http://localhost:9992'])

/** What this machine is always called. */
const LOCAL_NAMES: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/** Addresses that stand for every address of the machine. */
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** What browsers say of requests that no page made, or a page of this very interface; it serves none. */
const HARMLESS_SITES: ReadonlySet<string> = new Set(['none', 'same-origin'])

/** What the preflight of an allowed page is told (B §8); 12 hours in seconds. */
export const PREFLIGHT_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Methods': 'GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS',
  'Access-Control-Allow-Headers': 'Access-Control-Allow-Origin,Origin,Content-Length,Content-Type',
  'Access-Control-Max-Age': '43200'
}

/** What every answer tells a browser: it is no page, no picture and nothing to keep. */
export const ANSWER_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff'
}

/** The headers that are looked at. */
export interface GuardedHeaders {
  readonly host?: string | undefined
  readonly origin?: string | undefined
  readonly 'sec-fetch-site'?: string | string[] | undefined
}

/** Lets through what programs of this machine and the allowed pages send. */
export interface Guard {
  /**
   * Checks the `Host`, `Origin` and `Sec-Fetch-Site` headers of a request.
   *
   * The interface has no password, so a web page must not reach it: neither under a DNS name that was pointed at this machine
   * later (`Host`), nor across origins (`Origin`), nor by a picture, a link or a form that names no origin (`Sec-Fetch-Site`).
   * The type of the body is not asked for: clients of the reference send what they like.
   *
   * @throws ForeignHostError, ForeignOriginError
   * @returns The headers that let an allowed page read the answer; none for a program.
   */
  check(headers: GuardedHeaders): Readonly<Record<string, string>>
}

/**
 * Creates the guard of a server that listens on `host`, or on a Unix socket: there any host is let through, for no browser gets there.
 *
 * The port of the `Host` header is not compared: tunnels change it. On a wildcard address every IP address is let through,
 * for only a name can be rebound.
 */
export function createGuard(host: string | undefined): Guard {
  const checkHost = host === undefined ? () => undefined : hostCheck(host)
  return {
    check(headers) {
      checkHost(headers.host ?? '')
      const { origin, 'sec-fetch-site': site } = headers
      if (origin === undefined) {
        if (site !== undefined && !(typeof site === 'string' && HARMLESS_SITES.has(site))) {
          throw new ForeignOriginError('web pages may not use this interface in this way')
        }
        return {}
      }
      if (!ALLOWED_ORIGINS.has(origin)) {
        throw new ForeignOriginError(
          `pages of ${JSON.stringify(origin)} may not use this interface; only ${[...ALLOWED_ORIGINS].join(' and ')} may`
        )
      }
      return { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' }
    }
  }
}

function hostCheck(host: string): (header: string) => void {
  const names = new Set([...LOCAL_NAMES, host.toLowerCase(), bracketed(host.toLowerCase())])
  const isAddress = (name: string): boolean => isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
  return (header) => {
    const name = header.toLowerCase().replace(/:\d*$/, '')
    if (names.has(name) || (WILDCARDS.has(host) && isAddress(name))) return
    throw new ForeignHostError(`the Host header ${JSON.stringify(header)} does not name this node (${[...names].join(', ')})`)
  }
}

/** The form in which a `Host` header names an address. */
function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host
}
