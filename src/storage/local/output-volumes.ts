import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bytes, bytes, CancelledError, errorMessage, type JsonValue, type Logger } from '../../base/index.ts'
import { removeTree } from '../durable.ts'
import { StorageFailedError } from '../errors.ts'
import { OUTPUTS, parsePublish } from '../outputs.ts'
import { volumeFields } from '../spec.ts'
import { unmount } from '../tools.ts'
import { createTurns } from '../turns.ts'
import type { OutputPublisher, PreparedVolume, VolumeOptions, VolumeProvider, VolumeRequest } from '../volume.ts'
import { canMakeImages, createImage, dropImage, mountImage, SMALLEST_IMAGE } from './image.ts'

/** What is needed for {@link createOutputVolumes}. */
export interface OutputVolumesOptions {
  readonly publishers: readonly OutputPublisher[]
  /** The most that the outputs of one job may take, whatever it may have on the disk. */
  readonly limit: Bytes
  /** `measured` makes plain directories also where file systems of their own are possible. */
  readonly enforcement?: 'auto' | 'measured'
  readonly log: Logger
}

/** An empty directory for one job, in which it leaves its outputs; bounded by a file system of its own where that is possible. */
export function createOutputVolumes(options: OutputVolumesOptions): VolumeProvider {
  const outlets = new Map(options.publishers.map((publisher) => [publisher.kind, publisher]))
  const check = (spec: JsonValue): void => {
    const { publish } = volumeFields(spec, ['publish'])
    if (publish !== undefined && publish !== null) parsePublish(publish, outlets)
  }
  const sizeFor = (limit: Bytes): Bytes => bytes(Math.min(limit, options.limit))
  const inTurn = createTurns()
  return {
    kind: OUTPUTS,
    probe: () => Promise.resolve({ available: true, version: '1' }),
    check,
    async prepare(request, more = {}) {
      check(request.spec)
      if (more.signal?.aborted === true) throw new CancelledError('the preparation of a volume was cancelled')
      return await inTurn(request.id, () => prepare(options, { ...request, limit: sizeFor(request.limit) }, more))
    },
    release: ({ id, directory }) => inTurn(id, () => release(directory)),
    list: () => Promise.resolve([]),
    remove: () => Promise.resolve(false)
  }
}

async function prepare(
  options: OutputVolumesOptions,
  { directory, limit }: VolumeRequest,
  more: VolumeOptions
): Promise<PreparedVolume> {
  const source = join(directory, 'data')
  const canBound = options.enforcement !== 'measured' && limit >= SMALLEST_IMAGE && (await canMakeImages())
  if (canBound && (await openImage(options, directory, limit, more))) return { source, isReadOnly: false }
  await mkdir(source, { recursive: true, mode: 0o700 })
  await chmod(source, 0o777)
  return { source, isReadOnly: false }
}

async function release(directory: string): Promise<void> {
  await unmount(join(directory, 'data'))
  for (const name of ['data', 'image.ext4', 'image.tmp']) await removeTree(join(directory, name))
}

async function openImage({ log }: OutputVolumesOptions, directory: string, size: Bytes, more: VolumeOptions): Promise<boolean> {
  try {
    await createImage(directory, size, more)
    await mountImage(directory)
    return true
  } catch (error) {
    if (!(error instanceof StorageFailedError)) throw error
    log.warn('outputs cannot have a file system of their own; their size is measured', { reason: errorMessage(error) })
    await dropImage(directory)
    return false
  }
}
