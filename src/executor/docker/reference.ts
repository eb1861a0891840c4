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
  const [location = '', ...digests] = text.split('@')
  const [digest] = digests
  if (digests.length > 1 || (digest !== undefined && !DIGEST.test(digest))) {
    return err('the digest must be sha256: and 64 hex digits')
  }
  const { name, tag } = splitTag(location)
  if (!TAG.test(tag)) return err(`${JSON.stringify(tag)} is not a tag`)
  const { registry, components } = splitRegistry(name)
  const wrong = components.find((component) => !COMPONENT.test(component))
  if (wrong !== undefined) return err(`${JSON.stringify(wrong)} is not part of an image's path, which is lower case`)
  return ok({ name, tag: digest ?? tag, registry, text: digest === undefined ? `${name}:${tag}` : `${name}@${digest}` })
}

/** A colon before a slash is that of the registry's port. */
function splitTag(location: string): { readonly name: string; readonly tag: string } {
  const colon = location.lastIndexOf(':')
  if (colon <= location.lastIndexOf('/')) return { name: location, tag: 'latest' }
  return { name: location.slice(0, colon), tag: location.slice(colon + 1) }
}

function splitRegistry(name: string): { readonly registry: string; readonly components: readonly string[] } {
  const [first = '', ...rest] = name.split('/')
  if (rest.length > 0 && REGISTRY.test(first)) return { registry: first, components: rest }
  return { registry: DOCKER_HUB, components: [first, ...rest] }
}
