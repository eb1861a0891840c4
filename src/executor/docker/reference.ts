import { err, ok, type Result } from '../../base/index.ts'

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

const REGISTRY = /^(?:localhost|[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+|[a-zA-Z0-9-]+(?=:))(?::\d{1,5})?$/
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/
const DIGEST = /^sha256:[0-9a-f]{64}$/
const MAX_LENGTH = 512
const DOCKER_HUB = 'https://index.docker.io/v1/'

/** Reads `[registry[:port]/]path[:tag][@sha256:…]`; a digest outranks the tag. The error says what is wrong. */
export function parseImageReference(text: string): Result<ImageReference, string> {
  if (text.length > MAX_LENGTH) return err(`is longer than ${MAX_LENGTH} characters`)
  const [location = '', digest, ...rest] = text.split('@')
  if (rest.length > 0 || (digest !== undefined && !DIGEST.test(digest)))
    return err('the digest must be sha256: and 64 hex digits')
  const lastColon = location.lastIndexOf(':')
  const hasTag = lastColon > location.lastIndexOf('/')
  const name = hasTag ? location.slice(0, lastColon) : location
  const tag = hasTag ? location.slice(lastColon + 1) : 'latest'
  if (!TAG.test(tag)) return err(`${JSON.stringify(tag)} is not a tag`)
  const [first = '', ...path] = name.split('/')
  const hasRegistry = path.length > 0 && REGISTRY.test(first)
  const components = hasRegistry ? path : [first, ...path]
  const wrong = components.find((component) => !COMPONENT.test(component))
  if (wrong !== undefined) return err(`${JSON.stringify(wrong)} is not part of an image's path, which is lower case`)
  return ok({
    name,
    tag: digest ?? tag,
    registry: hasRegistry ? first : DOCKER_HUB,
    text: digest === undefined ? `${name}:${tag}` : `${name}@${digest}`
  })
}
