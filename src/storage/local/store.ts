import { lstat, mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bytes, bytes, hasErrno } from '../../base/index.ts'
import { fileNameFor, readRecord, removeTree, writeRecord } from '../durable.ts'
import type { StoredVolumeName } from '../volume.ts'

/** What is kept of a named volume, beside its data. */
export interface VolumeRecord extends StoredVolumeName {
  readonly size: Bytes
  /** `image`: a file system of its own; `directory`: measured from time to time. */
  readonly form: 'image' | 'directory'
}

/** Volumes in `<directory>/<hash of the owner>/<name>/`: `volume.json`, `users/`, and `data`. */
export interface VolumeStore {
  pathOf(name: StoredVolumeName): string
  read(name: StoredVolumeName): Promise<VolumeRecord | undefined>
  write(record: VolumeRecord): Promise<void>
  list(): Promise<readonly VolumeRecord[]>
  addUser(name: StoredVolumeName, id: string): Promise<void>
  /** Idempotent. */
  removeUser(name: StoredVolumeName, id: string): Promise<void>
  users(name: StoredVolumeName): Promise<readonly string[]>
  /** Removes the volume with its data, which is not mounted. */
  erase(name: StoredVolumeName): Promise<void>
}

/** Creates the store; nothing is read or made before it is used. */
export function createVolumeStore(directory: string): VolumeStore {
  const pathOf = ({ owner, name }: StoredVolumeName): string => join(directory, fileNameFor(owner), name)
  const userPath = (volume: StoredVolumeName, id: string): string => join(pathOf(volume), 'users', `${fileNameFor(id)}.json`)
  return {
    pathOf,
    read: async (name) => toVolumeRecord(await readRecord(join(pathOf(name), 'volume.json'))),
    write: (record) => writeRecord(join(pathOf(record), 'volume.json'), { ...record }),
    async list() {
      const records: VolumeRecord[] = []
      for (const owner of await namesIn(directory)) {
        for (const name of await namesIn(join(directory, owner))) {
          const record = toVolumeRecord(await readRecord(join(directory, owner, name, 'volume.json')))
          if (record !== undefined) records.push(record)
        }
      }
      return records
    },
    addUser: (volume, id) => writeRecord(userPath(volume, id), { id }),
    async removeUser(volume, id) {
      await removeTree(userPath(volume, id))
    },
    async users(volume) {
      const path = join(pathOf(volume), 'users')
      const records = await Promise.all((await namesIn(path)).map((name) => readRecord(join(path, name))))
      return records.flatMap((record) => (typeof record?.['id'] === 'string' ? [record['id']] : []))
    },
    async erase(volume) {
      const path = pathOf(volume)
      const removed = join(path, '..', `.removed-${volume.name}`)
      await removeTree(removed)
      await mkdir(path, { recursive: true, mode: 0o700 })
      await rename(path, removed) // in one step it is no volume any more; what a crash leaves of it goes with the next one
      await removeTree(removed)
    }
  }
}

/** What the files below a directory take on the disk; links are counted, not followed. */
export async function measure(path: string): Promise<Bytes> {
  let total = 0
  const pending = [path]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const found = await lstat(next).catch(ignoreMissing)
    if (found === undefined) continue
    total += found.blocks * 512
    if (!found.isDirectory()) continue
    const directory = next
    const names = (await readdir(directory).catch(ignoreMissing)) ?? []
    pending.push(...names.map((name) => join(directory, name)))
  }
  return bytes(total)
}

/** A job may remove what is being looked at. */
function ignoreMissing(error: unknown): undefined {
  if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'ENOTDIR')) throw error
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).filter((name) => !name.startsWith('.') && !name.endsWith('.tmp')).sort()
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return []
    throw error
  }
}

function toVolumeRecord(record: Awaited<ReturnType<typeof readRecord>>): VolumeRecord | undefined {
  const { owner, name, size, form } = record ?? {}
  if (typeof owner !== 'string' || typeof name !== 'string' || typeof size !== 'number') return undefined
  return form === 'image' || form === 'directory' ? { owner, name, size: bytes(size), form } : undefined
}
