import { parseImageName } from '../base/index.ts'
import { ImageBadReferenceError } from './errors.ts'

/** Where an image is fetched from. */
export interface ImageSource {
  /** `host` or `host:port`, as credentials and the owner's lists name it. */
  readonly registry: string
  /** What is connected to: differs from `registry` for Docker's own. */
  readonly host: string
  readonly repository: string
  /** A tag or a digest. */
  readonly version: string
  readonly digest: string | undefined
  /** The whole name, with its registry. */
  readonly text: string
}

const DOCKER_HUB = 'docker.io'
const DOCKER_HUB_HOST = 'registry-1.docker.io'

/** @throws ImageBadReferenceError saying what is wrong with the name. */
export function parseSource(reference: string): ImageSource {
  const parsed = parseImageName(reference)
  if (!parsed.ok) throw new ImageBadReferenceError(`image ${JSON.stringify(reference.slice(0, 512))}: ${parsed.error}`)
  const { registry = DOCKER_HUB, path, tag = 'latest', digest } = parsed.value
  const isHub = registry === DOCKER_HUB || registry === 'index.docker.io'
  const repository = isHub && !path.includes('/') ? `library/${path}` : path
  return {
    registry: isHub ? DOCKER_HUB : registry.toLowerCase(),
    host: isHub ? DOCKER_HUB_HOST : registry.toLowerCase(),
    repository,
    version: digest ?? tag,
    digest,
    text: `${isHub ? DOCKER_HUB : registry}/${repository}${digest === undefined ? `:${tag}` : `@${digest}`}`
  }
}
