import { ok, parseImageName, type Result } from '../../base/index.ts'

/** An image as the Engine API names it. */
export interface ImageReference {
  /** With its registry where one is given: `ghcr.io/owner/app`, `nginx`. */
  readonly name: string
  /** A tag, or a digest `sha256:…`; `latest` when there is neither. */
  readonly tag: string
  /** Where credentials belong: `ghcr.io`, `localhost:5000`; Docker's own registry when none is given. */
  readonly registry: string
  /** Name and tag or digest as one text. */
  readonly text: string
}

const DOCKER_HUB = 'https://index.docker.io/v1/'

/** Reads `[registry[:port]/]path[:tag][@sha256:…]`; a digest outranks the tag. The error says what is wrong. */
export function parseImageReference(text: string): Result<ImageReference, string> {
  const parsed = parseImageName(text)
  if (!parsed.ok) return parsed
  const { registry, path, tag = 'latest', digest } = parsed.value
  const name = registry === undefined ? path : `${registry}/${path}`
  return ok({
    name,
    tag: digest ?? tag,
    registry: registry ?? DOCKER_HUB,
    text: digest === undefined ? `${name}:${tag}` : `${name}@${digest}`
  })
}
