import { DmsError } from '../base/index.ts'

/** The address of the interface is in use; the message names it and the configuration key to change. */
export class ApiListenError extends DmsError {
  readonly code = 'API_PORT_IN_USE'
  readonly kind = 'conflict'
}

/** The configured address cannot be listened on for another reason: it is not of this machine, or it is reserved. */
export class ApiAddressError extends DmsError {
  readonly code = 'API_BAD_ADDRESS'
  readonly kind = 'invalid'
}

/** Somebody listens at the socket of the interface; the message names it and the configuration key to change. */
export class SocketInUseError extends DmsError {
  readonly code = 'API_SOCKET_IN_USE'
  readonly kind = 'conflict'
}

/** The socket of the interface cannot be where the configuration says: the path is too long, or the directory is not private. */
export class SocketPlaceError extends DmsError {
  readonly code = 'API_BAD_SOCKET'
  readonly kind = 'invalid'
}

/** As much is being served as there is room for. */
export class BusyError extends DmsError {
  readonly code = 'API_BUSY'
  readonly kind = 'exhausted'
}

/** The body of a request is not an envelope as JSON. */
export class BadBodyError extends DmsError {
  readonly code = 'API_BAD_BODY'
  readonly kind = 'invalid'
}

/** The body of a request is larger than an envelope can be. */
export class BodyTooLargeError extends DmsError {
  readonly code = 'API_BODY_TOO_LARGE'
  readonly kind = 'invalid'
}

/** A request breaks a rule of HTTP. */
export class BadRequestError extends DmsError {
  readonly code = 'API_BAD_REQUEST'
  readonly kind = 'invalid'
}

/** There is nothing at the path of a request. */
export class NoSuchRouteError extends DmsError {
  readonly code = 'API_NO_SUCH_ROUTE'
  readonly kind = 'not-found'
}

/** There is something at the path, but not for the method of the request. */
export class MethodNotAllowedError extends DmsError {
  readonly code = 'API_METHOD_NOT_ALLOWED'
  readonly kind = 'invalid'
}

/** A request names a host that is not this one: the sign of a rebound DNS name. */
export class ForeignHostError extends DmsError {
  readonly code = 'API_FOREIGN_HOST'
  readonly kind = 'forbidden'
}

/** A request was made by a web page that may not use this interface. */
export class ForeignOriginError extends DmsError {
  readonly code = 'API_FOREIGN_ORIGIN'
  readonly kind = 'forbidden'
}

/** The node has no address yet. */
export class NotInitializedError extends DmsError {
  readonly code = 'API_NOT_INITIALIZED'
  readonly kind = 'unavailable'
}

/** The server ended while the request waited. */
export class StoppingError extends DmsError {
  readonly code = 'API_STOPPING'
  readonly kind = 'unavailable'
}

/** A request failed for a reason that only the log of the node names. */
export class RequestFailedError extends DmsError {
  readonly code = 'API_REQUEST_FAILED'
  readonly kind = 'internal'
}
