import { err, ok, type Result } from './result.ts'

/** The name of an image as people write it: `[registry[:port]/]path[:tag][@sha256:…]`. */
export interface ImageName {
  /** `ghcr.io`, `localhost:5000`; missing when none is given. */
  readonly registry?: string
  /** Without the registry: `owner/app`. */
  readonly path: string
  readonly tag?: string
  /** `sha256:` and 64 hex digits; outranks the tag. */
  readonly digest?: string
}

const REGISTRY = /^(?:localhost|[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+|[a-zA-Z0-9-]+(?=:)|\[[0-9a-fA-F:]{2,39}\](?=:|$))(?::\d{1,5})?$/
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/
const DIGEST = /^sha256:[0-9a-f]{64}$/
const MAX_LENGTH = 512

/** Whether the text is a digest as images have it: `sha256:` and 64 hex digits. */
export function isImageDigest(text: string): boolean {
  return DIGEST.test(text)
}

/** Reads the name of an image. The error says what is wrong. */
export function parseImageName(text: string): Result<ImageName, string> {
  if (text.length > MAX_LENGTH) return err(`is longer than ${MAX_LENGTH} characters`)
  const [location = '', ...digests] = text.split('@')
  const [digest] = digests
  if (digests.length > 1 || (digest !== undefined && !DIGEST.test(digest))) {
    return err('the digest must be sha256: and 64 hex digits')
  }
  const { name, tag } = splitTag(location)
  if (tag !== undefined && !TAG.test(tag)) return err(`${JSON.stringify(tag)} is not a tag`)
  const { registry, components } = splitRegistry(name)
  const wrong = components.find((component) => !COMPONENT.test(component))
  if (wrong !== undefined) return err(`${JSON.stringify(wrong)} is not part of an image's path, which is lower case`)
  return ok({
    ...(registry === undefined ? {} : { registry }),
    path: components.join('/'),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest })
  })
}

/** A colon before a slash is that of the registry's port. */
function splitTag(location: string): { readonly name: string; readonly tag?: string } {
  const colon = location.lastIndexOf(':')
  if (colon <= location.lastIndexOf('/')) return { name: location }
  return { name: location.slice(0, colon), tag: location.slice(colon + 1) }
}

function splitRegistry(name: string): { readonly registry?: string; readonly components: readonly string[] } {
  const [first = '', ...rest] = name.split('/')
  if (rest.length > 0 && REGISTRY.test(first)) return { registry: first, components: rest }
  return { components: [first, ...rest] }
}
