import type { Clock } from '../../base/index.ts'
import type { TransferRules } from '../endpoint.ts'
import { createFetchingProvider } from '../fetching.ts'
import type { VolumeProvider } from '../volume.ts'
import { openS3Source } from './source.ts'
import { parseInput } from './spec.ts'

/** What is needed to speak to services of S3. */
export interface S3Options {
  readonly clock: Clock
  readonly rules: TransferRules
}

/** Volumes of type `s3`: one object or all below a prefix, of any service that speaks S3, for one job to read. */
export function createS3Volumes({ clock, rules }: S3Options): VolumeProvider {
  return createFetchingProvider({
    kind: 's3',
    clock,
    rules,
    probe: () => Promise.resolve({ available: true, version: 'S3 (2006-03-01)' }),
    check: (spec) => void parseInput(spec),
    open: (spec) => openS3Source({ place: parseInput(spec), clock, rules })
  })
}
