import { lstat, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'

/** Larger tables of users are those of somebody who wants to fill our memory. */
const MOST_BYTES = 1024 * 1024

/** What one path is in the uppermost layer that has it. */
export interface Found {
  readonly place: string
  readonly isDirectory: boolean
  readonly isFile: boolean
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/**
 * Looks for an absolute path in layers of an image, top first, without following a single link: an image is a stranger's, and its
 * links would lead into this machine.
 *
 * @returns `undefined` where no layer has it, or a layer above has something else than a directory on the way.
 */
export async function findInLayers(layers: readonly string[], path: string): Promise<Found | undefined> {
  const names = path.split('/').filter((name) => name !== '')
  for (const layer of layers) {
    const found = await findInLayer(layer, names)
    if (found === 'elsewhere') continue
    return found
  }
  return undefined
}

async function findInLayer(layer: string, names: readonly string[]): Promise<Found | undefined | 'elsewhere'> {
  let place = layer
  for (const [index, name] of names.entries()) {
    place = join(place, name)
    const status = await lstat(place).catch(() => undefined)
    if (status === undefined) return 'elsewhere'
    const isLast = index === names.length - 1
    if (!isLast && !status.isDirectory()) return undefined // removed here, or a link
    if (!isLast) continue
    if (status.isCharacterDevice()) return undefined // the mark of what was removed
    const [isDirectory, isFile] = [status.isDirectory(), status.isFile()]
    return { place, isDirectory, isFile, mode: status.mode & 0o7777, uid: status.uid, gid: status.gid }
  }
  return 'elsewhere'
}

/** The text of a small file of an image; empty when there is none that is a file. */
export async function readFromLayers(layers: readonly string[], path: string): Promise<string> {
  const found = await findInLayers(layers, path)
  if (found === undefined || !found.isFile) return ''
  const status = await lstat(found.place)
  if (status.size > MOST_BYTES || (await realpath(found.place)) !== found.place) return ''
  return await readFile(found.place, 'utf8')
}
