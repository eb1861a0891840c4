import { DmsError } from '../base/index.ts'

/** The name of an image is not written as images are: `[registry[:port]/]path[:tag][@sha256:…]`. */
export class ImageBadReferenceError extends DmsError {
  readonly code = 'IMAGE_BAD_REFERENCE'
  readonly kind = 'invalid'
}

/** The registry has no such image, or not for this processor. */
export class ImageNotFoundError extends DmsError {
  readonly code = 'IMAGE_NOT_FOUND'
  readonly kind = 'not-found'
}

/** The registry does not give the image to these credentials, or to nobody without any. */
export class ImageDeniedError extends DmsError {
  readonly code = 'IMAGE_DENIED'
  readonly kind = 'forbidden'
}

/** The registry lies where the owner of this machine lets nobody connect to: a private network, or an unencrypted host. */
export class ImageRegistryRefusedError extends DmsError {
  readonly code = 'IMAGE_REGISTRY_REFUSED'
  readonly kind = 'forbidden'
}

/** The registry cannot be reached, broke off again and again, or answered with an error of its own. */
export class ImageRegistryFailedError extends DmsError {
  readonly code = 'IMAGE_REGISTRY_FAILED'
  readonly kind = 'unavailable'
}

/** The registry stopped sending. */
export class ImageStalledError extends DmsError {
  readonly code = 'IMAGE_STALLED'
  readonly kind = 'timeout'
}

/** What came is not what its digest names: damaged on the way, or exchanged. Nothing of it is kept. */
export class ImageWrongDigestError extends DmsError {
  readonly code = 'IMAGE_WRONG_DIGEST'
  readonly kind = 'unavailable'
}

/** The image is damaged, hostile, larger than this machine accepts, or of a kind that is not supported. */
export class ImageRefusedError extends DmsError {
  readonly code = 'IMAGE_REFUSED'
  readonly kind = 'invalid'
}

/** There is no room for the image on the disk. */
export class ImageDiskFullError extends DmsError {
  readonly code = 'IMAGE_DISK_FULL'
  readonly kind = 'exhausted'
}

/** The store of images could not be read or written. */
export class ImageStoreFailedError extends DmsError {
  readonly code = 'IMAGE_STORE_FAILED'
  readonly kind = 'internal'
}
