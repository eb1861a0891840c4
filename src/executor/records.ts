import { createHash } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hasErrno } from '../base/index.ts'
import { readRecord, writeWhole } from './files.ts'

/** A workload that this driver knows on this machine. */
export interface WorkloadRecord {
  readonly id: string
  /** The workload's own directory. */
  readonly directory: string
}

/** The workloads that were started and not removed; survives a restart of the daemon. */
export interface WorkloadRecords {
  find(id: string): Promise<WorkloadRecord | undefined>
  save(record: WorkloadRecord): Promise<void>
  delete(id: string): Promise<void>
  list(): Promise<readonly WorkloadRecord[]>
}

/** Keeps one small file per workload in `directory`, which is made when it is first needed. */
export function createWorkloadRecords(directory: string): WorkloadRecords {
  /** A hash, because an id may be as long as a file name may be. */
  const pathOf = (id: string): string => join(directory, `${createHash('sha256').update(id).digest('hex')}.json`)

  async function read(path: string): Promise<WorkloadRecord | undefined> {
    const record = await readRecord(path)
    const { id, directory: workload } = record ?? {}
    return typeof id === 'string' && typeof workload === 'string' ? { id, directory: workload } : undefined
  }

  async function names(): Promise<string[]> {
    try {
      return await readdir(directory)
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return []
      throw error
    }
  }

  return {
    find: (id) => read(pathOf(id)),
    save: (record) => writeWhole(pathOf(record.id), JSON.stringify(record)),
    delete: (id) => rm(pathOf(id), { force: true }),
    async list() {
      const records = await Promise.all(
        (await names()).filter((name) => name.endsWith('.json')).map((name) => read(join(directory, name)))
      )
      return records.filter((record) => record !== undefined)
    }
  }
}
