import { CancelledError, DmsError, encodeGoJson, HTTP_STATUS, type Logger } from '../base/index.ts'
import { BadRequestError, BodyTooLargeError, MethodNotAllowedError, NotInitializedError, RequestFailedError } from './errors.ts'

/** An answer that says what went wrong. */
export interface Failure {
  readonly status: number
  /** JSON: `error` as in the reference (B §8), and `code` and `kind` for programs. */
  readonly body: string
}

/** The status of the reference for a reply that did not come (B §8). */
const REQUEST_TIMEOUT = 408

/** What to answer after an error that a {@link DmsError} describes. */
export function failureOf(error: DmsError): Failure {
  const { code, kind, message } = error
  return { status: statusOf(error), body: encodeGoJson({ error: textOf(error, message), code, kind }) }
}

/** Turns anything thrown while a request was served into an error that may be shown; what may not is logged under `requestId`. */
export function toDmsError(error: unknown, requestId: string, bodyLimit: number, log: Logger): DmsError {
  if (error instanceof DmsError && error.kind !== 'internal') return error
  const { code, statusCode } = httpFacts(error)
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new BodyTooLargeError(`the body of the request has more than ${bodyLimit} bytes`, { cause: error })
  }
  if (error instanceof Error && statusCode >= 400 && statusCode < 500) {
    return new BadRequestError(`bad request: ${error.message.toLowerCase()}`, { cause: error })
  }
  log.error('request failed', { requestId, error: error instanceof Error ? error.stack : String(error) })
  return new RequestFailedError(`the request failed; the node logged it as ${requestId}`, { cause: error })
}

function statusOf(error: DmsError): number {
  if (error instanceof BodyTooLargeError) return 413
  if (error instanceof MethodNotAllowedError) return 405
  if (error instanceof NotInitializedError) return 500
  if (error.kind === 'timeout' || error instanceof CancelledError) return REQUEST_TIMEOUT
  return HTTP_STATUS[error.kind]
}

/** Clients recognise a missing reply by its text (D §1). */
function textOf(error: DmsError, message: string): string {
  if (statusOf(error) !== REQUEST_TIMEOUT || message.includes('request timeout')) return message
  return `request timeout: ${message}`
}

function httpFacts(error: unknown): { readonly code: unknown; readonly statusCode: number } {
  if (!(error instanceof Error)) return { code: undefined, statusCode: 500 }
  const code = 'code' in error ? error.code : undefined
  const statusCode = 'statusCode' in error ? error.statusCode : undefined
  return { code, statusCode: typeof statusCode === 'number' ? statusCode : 500 }
}
