/**
 * image: images and artefacts of registries, fetched without a container daemon, verified and unpacked.
 *
 * Imports: base.
 * State: the directory of the store: unpacked layers, blobs, records of images, and who uses them.
 */
export type { RegistryRules } from './connection.ts'
export type { RegistryAuth } from './credentials.ts'
export {
  ImageBadReferenceError,
  ImageDeniedError,
  ImageDiskFullError,
  ImageNotFoundError,
  ImageRefusedError,
  ImageRegistryFailedError,
  ImageRegistryRefusedError,
  ImageStalledError,
  ImageStoreFailedError,
  ImageWrongDigestError
} from './errors.ts'
export {
  createImages,
  type FetchedArtifact,
  type FetchOptions,
  type ImageProgress,
  type Images,
  type ImagesOptions,
  type PreparedImage,
  type Pruned,
  type PruneOptions,
  type StoredImage
} from './images.ts'
export type { ImageConfig } from './manifest.ts'
export { serveUnpacker, UNPACK_COMMAND } from './unpacker.ts'
