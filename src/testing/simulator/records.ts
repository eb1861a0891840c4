import type { RecordChange } from '../../db/index.ts'
import type { Observer } from './observer.ts'
import type { SimulatedNode } from './simulated-node.ts'

/** A record as an observer reads it: plain JSON, checked where it is used. */
export type PlainRecord = Readonly<Record<string, unknown>>

/** What every node has committed, read from its writes alone. */
export interface CommittedRecords extends Observer {
  get(node: SimulatedNode, collection: string, id: string): PlainRecord | undefined
  all(node: SimulatedNode, collection: string): ReadonlyMap<string, PlainRecord>
}

const NONE: ReadonlyMap<string, PlainRecord> = new Map()

/** Creates the view over the disks of all nodes. */
export function createCommittedRecords(): CommittedRecords {
  const disks = new Map<SimulatedNode, Map<string, Map<string, PlainRecord>>>()

  function apply(node: SimulatedNode, { collection, id, value }: RecordChange): void {
    const disk = disks.get(node) ?? new Map<string, Map<string, PlainRecord>>()
    const records = disk.get(collection) ?? new Map<string, PlainRecord>()
    if (value === undefined) records.delete(id)
    else records.set(id, JSON.parse(value) as PlainRecord)
    disks.set(node, disk.set(collection, records))
  }

  return {
    get: (node, collection, id) => disks.get(node)?.get(collection)?.get(id),
    all: (node, collection) => disks.get(node)?.get(collection) ?? NONE,
    committed(node, changes) {
      for (const change of changes) apply(node, change)
    }
  }
}

/** A member of a record that is an object. */
export function part(record: PlainRecord | undefined, name: string): PlainRecord | undefined {
  const value = record?.[name]
  return typeof value === 'object' && value !== null ? (value as PlainRecord) : undefined
}

/** A member of a record that is a text; empty when it is none. */
export function text(record: PlainRecord | undefined, name: string): string {
  const value = record?.[name]
  return typeof value === 'string' ? value : ''
}

/** A member of a record that is a number; 0 when it is none. */
export function number(record: PlainRecord | undefined, name: string): number {
  const value = record?.[name]
  return typeof value === 'number' ? value : 0
}

/** The phase of an allocation or a deployment. */
export function phaseOf(record: PlainRecord | undefined): string {
  return text(part(record, 'state'), 'phase')
}
