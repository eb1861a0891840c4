/**
 * storage: gives directories of this machine to jobs, and sends away what they leave; the providers are in folders that only the
 * composition root imports.
 *
 * Imports: base.
 * State: records of what is prepared for which allocation, and named volumes, in files below the directories it is given.
 */
export {
  StorageBadSpecError,
  StorageChecksumError,
  StorageFailedError,
  StorageInUseError,
  StorageNotFoundError,
  StorageNotPermittedError,
  StorageQuotaError,
  StorageUnavailableError
} from './errors.ts'
export {
  type CollectedOutputs,
  createOutputStore,
  type OutputFile,
  type OutputStore,
  type OutputStoreOptions
} from './outputs.ts'
export type {
  OutputPublisher,
  PreparedVolume,
  PublishedFile,
  PublishedOutputs,
  PublishRequest,
  StoredVolume,
  StoredVolumeName,
  VolumeOptions,
  VolumePlace,
  VolumeProbe,
  VolumeProgress,
  VolumeProvider,
  VolumeRequest
} from './volume.ts'
export {
  type AllocationVolumes,
  createVolumes,
  type KeptVolume,
  type VolumeMount,
  type Volumes,
  type VolumesOptions
} from './volumes.ts'
