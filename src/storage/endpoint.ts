import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import {
  type AddressLookup,
  createPublicLookup,
  isListedHost,
  type Millis,
  PrivateAddressError,
  refusePrivateHost
} from '../base/index.ts'
import { StorageNotPermittedError } from './errors.ts'

/** Where strangers may have this machine fetch from or send to, and for how long. */
export interface TransferRules {
  /** Services, as `host` or `host:port`, that may lie in private networks and need no encryption; all others must be public. */
  readonly allowedPrivate: readonly string[]
  /** Without a byte for so long, a service counts as stalled. */
  readonly stallLimit: Millis
  /** What the transfers of one volume may take. */
  readonly timeLimit: Millis
  /** Default: that of the system. */
  readonly lookup?: AddressLookup
}

/** Connections to one service; what was checked is what is connected to. */
export interface Agents {
  readonly httpAgent: HttpAgent
  readonly httpsAgent: HttpsAgent
  /** Ends connections that are kept. */
  end(): void
}

/** How a service is spoken to. */
export interface EndpointNeeds {
  /** Whether what comes is verified by a checksum that the user wrote, so that nobody on the way can change it. */
  readonly mayBePlain?: boolean
}

/**
 * Connections that keep to the owner's rules.
 *
 * @throws StorageNotPermittedError for a host that is private, and for one without encryption, unless the owner lists it.
 */
export function createAgents(url: URL, rules: TransferRules, { mayBePlain = false }: EndpointNeeds = {}): Agents {
  const isListed = isListedHost(url, rules.allowedPrivate)
  if (!isListed) refuse(url, mayBePlain)
  const options = { keepAlive: true, maxSockets: 8, ...(isListed ? {} : { lookup: createPublicLookup(rules.lookup) }) }
  const [httpAgent, httpsAgent] = [new HttpAgent(options), new HttpsAgent(options)]
  return {
    httpAgent,
    httpsAgent,
    end() {
      httpAgent.destroy()
      httpsAgent.destroy()
    }
  }
}

function refuse(url: URL, mayBePlain: boolean): void {
  try {
    refusePrivateHost(url)
  } catch (error) {
    if (error instanceof PrivateAddressError) throw toRefusal(error)
    throw error
  }
  if (url.protocol === 'http:' && !mayBePlain) {
    throw new StorageNotPermittedError(
      `${url.host} would be spoken to without encryption; the owner of this machine allows that in storage.allowed_private_endpoints`
    )
  }
}

/** The refusal of an address, naming the key with which the owner allows it. */
export function toRefusal(error: PrivateAddressError): StorageNotPermittedError {
  return new StorageNotPermittedError(`${error.message} in storage.allowed_private_endpoints`, { cause: error })
}

/** The {@link PrivateAddressError} in an error or its causes. */
export function privateAddressIn(error: unknown): PrivateAddressError | undefined {
  for (let [at, depth] = [error, 0]; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if (at instanceof PrivateAddressError) return at
  }
  return undefined
}

/** What a service says, fit for a message: one line, bounded. */
export function saidBy(text: string): string {
  const line = text.replace(/\p{Cc}+/gu, ' ').trim()
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}
