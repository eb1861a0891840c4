import type { AbortOptions, Bytes, JsonValue } from '../base/index.ts'

/** Whether a provider of volumes works on this machine. */
export type VolumeProbe =
  | { readonly available: true; readonly version: string }
  | { readonly available: false; readonly reason: string }

/** Which volume of which allocation: all that a release needs, so that it works after any crash. */
export interface VolumePlace {
  /** Unique on this machine: the allocation and the number of the volume. Matches `^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$`. */
  readonly id: string
  /** Existing, absolute, 0700, of this volume alone. The provider keeps there what belongs to the id; the caller removes it after the release. */
  readonly directory: string
}

/** What to prepare. */
export interface VolumeRequest extends VolumePlace {
  /** DID of who pays for the volume: who deployed the job. */
  readonly owner: string
  /** The volume of the ensemble as written, without `type`, `mount_destination` and `read_only`. */
  readonly spec: JsonValue
  readonly isReadOnly: boolean
  /** What a job may put on the disk; bounds what is fetched. */
  readonly limit: Bytes
}

/** A directory of this machine that can be mounted into a job now. */
export interface PreparedVolume {
  /** Absolute and existing. */
  readonly source: string
  /** True also when the provider gives no more than reading. */
  readonly isReadOnly: boolean
  /** What was fetched for it and lies on the disk for this request alone; nothing when absent. */
  readonly size?: Bytes
}

/** How far a preparation is. */
export interface VolumeProgress {
  /** `fetch`, `format`, `mount`, `publish`. */
  readonly step: string
  readonly done?: Bytes
  readonly total?: Bytes
}

/** Options of what may take long. */
export interface VolumeOptions extends AbortOptions {
  readonly onProgress?: (progress: VolumeProgress) => void
}

/** A volume that outlives jobs. */
export interface StoredVolume {
  readonly owner: string
  readonly name: string
  /** What it may grow to. */
  readonly size: Bytes
  /** What it takes on the disk now. */
  readonly used: Bytes
  /** Ids of the requests that have it prepared. */
  readonly users: readonly string[]
}

/** Names a {@link StoredVolume}. */
export interface StoredVolumeName {
  readonly owner: string
  readonly name: string
}

/**
 * Gives directories to jobs: `type` of a volume in an ensemble.
 *
 * Every method is idempotent and survives a kill at any line: state is in files, and a preparation that was cut off is completed by
 * the next `prepare` or undone by `release`. Every driver passes `testing/compliance/volume-provider.ts`.
 */
export interface VolumeProvider {
  /** `local`, `s3`, `url`, `ipfs`, `glusterfs`. */
  readonly kind: string
  probe(options?: AbortOptions): Promise<VolumeProbe>
  /** Throws `STORAGE_BAD_SPEC` naming the field when `spec` is not acceptable; no effect. */
  check(spec: JsonValue): void
  /**
   * Makes the volume usable. A second call with the same id gives the same volume, also after a restart of the daemon or of the
   * machine.
   *
   * @throws STORAGE_BAD_SPEC, STORAGE_NOT_PERMITTED, STORAGE_QUOTA, STORAGE_NOT_FOUND, STORAGE_CHECKSUM, STORAGE_UNAVAILABLE,
   * STORAGE_FAILED; cancelled when the signal is aborted.
   */
  prepare(request: VolumeRequest, options?: VolumeOptions): Promise<PreparedVolume>
  /** Unmounts and forgets what `prepare` did for the id, complete or not; nothing for an unknown id. Stored volumes stay. */
  release(place: VolumePlace): Promise<void>
  /** Volumes that outlive jobs; none for a provider that only fetches. */
  list(): Promise<readonly StoredVolume[]>
  /** Removes a stored volume and what is in it. False: there is none. @throws STORAGE_IN_USE while a request has it prepared. */
  remove(volume: StoredVolumeName): Promise<boolean>
}

/** Sends files of this machine somewhere: what a job left in its outputs. */
export interface OutputPublisher {
  readonly kind: string
  /** Throws `STORAGE_BAD_SPEC` naming the field. */
  check(spec: JsonValue): void
  /** Sends the files. Resumes what an earlier call with the same id began. */
  publish(request: PublishRequest, options?: VolumeOptions): Promise<PublishedOutputs>
}

/** A file to send. */
export interface PublishedFile {
  /** With `/` between its parts; free of `.`, `..` and control characters. */
  readonly path: string
  /** Where it lies. */
  readonly source: string
  readonly size: number
}

/** What to publish. `directory` of the place holds the state of unfinished uploads. */
export interface PublishRequest extends VolumePlace {
  readonly spec: JsonValue
  readonly files: readonly PublishedFile[]
}

/** What was published. */
export interface PublishedOutputs {
  /** Where: `s3://bucket/prefix`. */
  readonly location: string
  readonly files: number
  readonly size: Bytes
}
