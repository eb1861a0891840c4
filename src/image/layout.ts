import { createHash } from 'node:crypto'
import { join } from 'node:path'

/** Where things lie in the directory of the store. Digests are checked before they come here. */
export interface Layout {
  readonly blobs: string
  readonly layers: string
  readonly records: string
  readonly leases: string
  /** What is not finished; emptied at every start. */
  readonly temporary: string
  blob(digest: string): string
  /** The unpacked layer: a directory for overlayfs. */
  layer(diffId: string): string
  /** Written last: a layer without it is not whole. */
  layerRecord(diffId: string): string
  record(digest: string): string
  lease(workloadId: string): string
}

/** The layout below `directory`. */
export function createLayout(directory: string): Layout {
  const [blobs, layers] = [join(directory, 'blobs', 'sha256'), join(directory, 'layers')]
  const [records, leases] = [join(directory, 'records'), join(directory, 'leases')]
  const nameOf = (digest: string): string => digest.replace(':', '-')
  return {
    blobs,
    layers,
    records,
    leases,
    temporary: join(directory, 'tmp'),
    blob: (digest) => join(blobs, digest.slice('sha256:'.length)),
    layer: (diffId) => join(layers, nameOf(diffId)),
    layerRecord: (diffId) => join(layers, `${nameOf(diffId)}.json`),
    record: (digest) => join(records, `${nameOf(digest)}.json`),
    lease: (workloadId) => join(leases, `${createHash('sha256').update(workloadId).digest('hex')}.json`)
  }
}
