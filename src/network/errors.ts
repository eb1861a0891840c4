import { DmsError } from '../base/index.ts'

/** A peer, or the way to it, could not be reached; the message says what was tried. */
export class UnreachableError extends DmsError {
  readonly code = 'NETWORK_UNREACHABLE'
  readonly kind = 'unavailable'
}

/** The host was reached, but nobody listens on that inbox there. */
export class NoSuchInboxError extends DmsError {
  readonly code = 'NETWORK_NO_SUCH_INBOX'
  readonly kind = 'not-found'
}

/** Another listener of this node holds the inbox. */
export class InboxTakenError extends DmsError {
  readonly code = 'NETWORK_INBOX_TAKEN'
  readonly kind = 'conflict'
}

/** The text cannot name an inbox. */
export class BadInboxError extends DmsError {
  readonly code = 'NETWORK_BAD_INBOX'
  readonly kind = 'invalid'
}

/** The text cannot name a gossip topic. */
export class BadTopicError extends DmsError {
  readonly code = 'NETWORK_BAD_TOPIC'
  readonly kind = 'invalid'
}

/** The text is not a peer id or multiaddress that can be used here; the message says what is wrong with it. */
export class BadAddressError extends DmsError {
  readonly code = 'NETWORK_BAD_ADDRESS'
  readonly kind = 'invalid'
}

/** The bytes are not a libp2p private key that can name a peer. */
export class BadKeyError extends DmsError {
  readonly code = 'NETWORK_BAD_KEY'
  readonly kind = 'invalid'
}

/** The frame is larger than the wire format allows. */
export class FrameTooLargeError extends DmsError {
  readonly code = 'NETWORK_FRAME_TOO_LARGE'
  readonly kind = 'invalid'
}

/** Incoming bytes were not one complete frame; never leaves the module but as the reason of a reset and a count. */
export class FrameRefusedError extends DmsError {
  readonly code = 'NETWORK_FRAME_REFUSED'
  readonly kind = 'invalid'
}

/** More sends are under way than this node allows itself. */
export class BusyError extends DmsError {
  readonly code = 'NETWORK_BUSY'
  readonly kind = 'exhausted'
}

/** A configured address cannot be listened on. */
export class ListenFailedError extends DmsError {
  readonly code = 'NETWORK_LISTEN_FAILED'
  readonly kind = 'conflict'
}

/** The libp2p node did not start for a reason other than its addresses. */
export class StartFailedError extends DmsError {
  readonly code = 'NETWORK_START_FAILED'
  readonly kind = 'internal'
}

/** The network host was used before its start or after its stop. */
export class NotRunningError extends DmsError {
  readonly code = 'NETWORK_NOT_RUNNING'
  readonly kind = 'unavailable'
}

/** The gossip router did not take a broadcast. */
export class PublishFailedError extends DmsError {
  readonly code = 'NETWORK_PUBLISH_FAILED'
  readonly kind = 'unavailable'
}
