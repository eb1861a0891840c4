import type { LogRecord } from './console-line.ts'

/** The last events of a process, in memory. */
export interface Recorder {
  add(record: LogRecord): void
  /** Oldest first. */
  events(): readonly LogRecord[]
}

/** What is kept: so many events, so much text of all of them, and of one of them. */
const MAX_EVENTS = 1000
const MAX_CHARACTERS = 1_048_576
const MAX_CHARACTERS_OF_ONE = 16_384

/** Creates an empty recorder: the newest events push the oldest out, so that nobody can fill the memory with them. */
export function createRecorder(): Recorder {
  const kept: { readonly record: LogRecord; readonly size: number }[] = []
  let total = 0
  return {
    add(record) {
      const size = sizeOf(record)
      const fits = size <= MAX_CHARACTERS_OF_ONE
      const entry = fits ? { record, size } : { record: withoutFields(record, size), size: record.message.length }
      kept.push(entry)
      total += entry.size
      while (kept.length > MAX_EVENTS || total > MAX_CHARACTERS) total -= kept.shift()?.size ?? 0
    },
    events: () => kept.map(({ record }) => record)
  }
}

function sizeOf({ message, fields }: LogRecord): number {
  return message.length + JSON.stringify(fields).length
}

function withoutFields({ at, level, message }: LogRecord, size: number): LogRecord {
  return { at, level, message, fields: { omitted: `${size} characters are too many to keep` } }
}
