import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasErrno, isJsonObject, type JsonValue, parseJson } from '../base/index.ts'

/** None of the records of a driver is larger. */
export const MAX_RECORD = 65_536

/** Writes the file completely or not at all, replacing one that is there. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomUUID()}` // two starts of one workload may write at the same time
  await writeFile(temporary, content, { mode: 0o600 })
  await rename(temporary, path)
}

/** The object in a small file; empty when it is damaged, `undefined` when there is no file. */
export async function readRecord(path: string): Promise<{ readonly [name: string]: JsonValue } | undefined> {
  const content = await readStart(path, MAX_RECORD)
  if (content === undefined) return undefined
  const parsed = parseJson(content.toString('utf8'))
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : {}
}

/** At most `length` bytes from the start of a file; `undefined` when there is no file. */
export async function readStart(path: string, length: number): Promise<Buffer | undefined> {
  return readAt(path, 0, length)
}

/** At most `length` bytes from `offset` of a file, empty at its end; `undefined` when there is no file. */
export async function readAt(path: string, offset: number, length: number): Promise<Buffer | undefined> {
  let file: Awaited<ReturnType<typeof open>>
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return undefined
    throw error
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
