import { DmsError, type ErrorKind } from '../base/index.ts'

/** Everything that can go wrong between a client and its node. */
export abstract class ClientError extends DmsError {}

/** No node answers at the address. */
export class ClientUnavailableError extends ClientError {
  readonly code = 'CLIENT_UNAVAILABLE'
  readonly kind = 'unavailable'
}

/** The node took the request, but did not answer in time. */
export class ClientTimeoutError extends ClientError {
  readonly code = 'CLIENT_TIMEOUT'
  readonly kind = 'timeout'
}

/** The node refused the request; the text is `request failed with status <n>: <reason>` (B §8.1), which clients search. */
export class RefusedError extends ClientError {
  readonly code = 'CLIENT_REFUSED'
  readonly kind: ErrorKind
  readonly status: number

  constructor(status: number, reason: string, kind: ErrorKind) {
    super(`request failed with status ${status}: ${reason}`, { details: { status } })
    this.status = status
    this.kind = kind
  }
}

/** The node answered with something that is not the answer to the request. */
export class BadReplyError extends ClientError {
  readonly code = 'CLIENT_BAD_REPLY'
  readonly kind = 'internal'
}

/** The request cannot be made into an envelope. */
export class BadMessageError extends ClientError {
  readonly code = 'CLIENT_BAD_MESSAGE'
  readonly kind = 'invalid'
}
