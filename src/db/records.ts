import { type AbortOptions, CancelledError, type Codec, describeIssues, errorMessage, invariant } from '../base/index.ts'
import { DamagedRecordError, InvalidRecordError } from './errors.ts'
import type { Change, Collection } from './store.ts'

/** The largest value of a record as JSON text, in UTF-16 units: 8 Mi. */
const MAX_VALUE_LENGTH = 8 * 2 ** 20

const MAX_ID_LENGTH = 512

/** Half a surrogate pair would be stored as U+FFFD, and tools end a text at NUL. */
const NOT_TEXT = /\p{Surrogate}|\0/u

/** One write as a driver sees it: the value is JSON text; without it the record is deleted. */
export interface RecordChange {
  readonly collection: string
  readonly id: string
  readonly value?: string
}

/** One stored record. */
export interface StoredRecord {
  readonly id: string
  readonly value: string
}

/** Remembers what the changes of one store say, so that a change of another store or a made-up one is found out. */
export interface ChangeBook {
  describe(change: RecordChange): Change
  /** @throws InvariantError for a change that this book did not make. */
  read(change: Change): RecordChange
}

/** Creates the {@link ChangeBook} of one store. */
export function createChangeBook(): ChangeBook {
  const changes = new WeakMap<object, RecordChange>()
  return {
    describe(record) {
      const change = Object.freeze({}) as Change
      changes.set(change, record)
      return change
    },
    read(change) {
      const record = changes.get(change)
      invariant(record, 'a change was given to a store that did not describe it')
      return record
    }
  }
}

/** What a driver does so that {@link createCollection} can do the rest. Both refuse with `DB_CLOSED` and `DB_READ_FAILED`. */
export interface RecordReader {
  read(collection: string, id: string): string | undefined
  /** The next records in order of id (by code point), from `from` on, without `from` itself when `after`. */
  page(collection: string, from: { readonly id: string; readonly after: boolean }): readonly StoredRecord[]
}

/** The view of one collection that both drivers share: checks ids, and turns JSON text into values and back. */
export function createCollection<T>(name: string, codec: Codec<T>, reader: RecordReader, book: ChangeBook): Collection<T> {
  invariant(/^[a-z][a-z0-9-]*$/.test(name), `collection name ${JSON.stringify(name)} must match ^[a-z][a-z0-9-]*$`)
  return {
    get(id) {
      return Promise.resolve().then(() => {
        const text = reader.read(name, checkedId(name, id))
        return text === undefined ? undefined : decode(name, id, codec, text)
      })
    },
    list: (options) => listRecords(name, codec, reader, options),
    put: (id, value) => book.describe({ collection: name, id: checkedId(name, id), value: encode(name, id, codec, value) }),
    delete: (id) => book.describe({ collection: name, id: checkedId(name, id) })
  }
}

/** Reads page by page, so that a large collection is neither held in memory nor keeps writers waiting. */
async function* listRecords<T>(
  name: string,
  codec: Codec<T>,
  reader: RecordReader,
  { prefix = '', signal }: { readonly prefix?: string } & AbortOptions = {}
): AsyncGenerator<readonly [id: string, value: T]> {
  let from = { id: prefix, after: false }
  for (;;) {
    if (signal?.aborted === true) throw new CancelledError(`the list of ${name} was cancelled`)
    const page = await Promise.resolve(reader.page(name, from))
    for (const { id, value } of page) {
      if (!id.startsWith(prefix)) return
      yield [id, decode(name, id, codec, value)]
    }
    const last = page.at(-1)
    if (last === undefined) return
    from = { id: last.id, after: true }
  }
}

function checkedId(collection: string, id: string): string {
  if (id !== '' && id.length <= MAX_ID_LENGTH && !NOT_TEXT.test(id)) return id
  throw new InvalidRecordError(
    `an id in ${collection} must have 1 to ${MAX_ID_LENGTH} characters of valid text, this one has ${id.length}`,
    { details: { collection, length: id.length } }
  )
}

function encode<T>(collection: string, id: string, codec: Codec<T>, value: T): string {
  const text: string | undefined = JSON.stringify(codec.encode(value))
  invariant(text, `the codec of ${collection} gave nothing that is JSON for ${JSON.stringify(id)}`)
  if (text.length <= MAX_VALUE_LENGTH) return text
  throw new InvalidRecordError(
    `${collection} ${JSON.stringify(id)} is ${text.length} characters long, at most ${MAX_VALUE_LENGTH} are stored`,
    { details: { collection, id, length: text.length } }
  )
}

function decode<T>(collection: string, id: string, codec: Codec<T>, text: string): T {
  const decoded = codec.decode(parseStored(collection, id, text))
  if (decoded.ok) return decoded.value
  throw damaged(collection, id, describeIssues(decoded.error))
}

function parseStored(collection: string, id: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw damaged(collection, id, `not JSON (${errorMessage(error)})`)
  }
}

function damaged(collection: string, id: string, reason: string): DamagedRecordError {
  return new DamagedRecordError(`the record ${JSON.stringify(id)} in ${collection} is damaged: ${reason}`, {
    details: { collection, id }
  })
}
