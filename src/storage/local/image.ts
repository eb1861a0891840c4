import { access, chmod, mkdir, open, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type AbortOptions, type Bytes, hasErrno } from '../../base/index.ts'
import { removeTree, syncDirectory } from '../durable.ts'
import { findTool, isMounted, runTool, unmount } from '../tools.ts'

/** Below this ext4 has no room for its own journal. */
export const SMALLEST_IMAGE = 16 * 1024 * 1024

/**
 * Whether volumes can be file systems of their own here: root, loop devices, the tools.
 *
 * A file system in a sparse file bounds what jobs write exactly, at any moment and without anybody watching.
 */
export async function canMakeImages(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false
  const tools = await Promise.all(['mkfs.ext4', 'mount', 'umount'].map(findTool))
  const hasLoop = await access('/dev/loop-control').then(
    () => true,
    () => false
  )
  return hasLoop && !tools.includes(undefined)
}

/** Makes the sparse file with an empty file system unless it is there; one that was cut off is made anew. */
export async function createImage(volume: string, size: Bytes, options: AbortOptions): Promise<void> {
  const image = join(volume, 'image.ext4')
  if (await exists(image)) return
  const temporary = join(volume, 'image.tmp')
  await rm(temporary, { force: true })
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.truncate(size)
  } finally {
    await file.close()
  }
  await runTool('mkfs.ext4', ['-q', '-F', '-m', '0', '-E', 'nodiscard', temporary], options)
  await rename(temporary, image)
  await syncDirectory(volume)
}

/** Mounts the image of a volume at its `data`, once. */
export async function mountImage(volume: string): Promise<void> {
  const data = join(volume, 'data')
  if (await isMounted(data)) return
  await mkdir(data, { recursive: true, mode: 0o700 })
  await runTool('mount', ['-t', 'ext4', '-o', 'loop,nosuid,nodev', join(volume, 'image.ext4'), data])
  await chmod(data, 0o777) // jobs run as any user; the directories above are closed to everybody else
  await rmdir(join(data, 'lost+found')).catch((error: unknown) => {
    // Databases refuse a directory that is not empty; a check of the file system makes it again when it finds something.
    if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'ENOTEMPTY')) throw error
  })
}

/** Unmounts the volume, and removes an image that cannot be used. */
export async function dropImage(volume: string): Promise<void> {
  await unmount(join(volume, 'data'))
  await removeTree(join(volume, 'image.ext4'))
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    (error: unknown) => {
      if (hasErrno(error, 'ENOENT')) return false
      throw error
    }
  )
}
