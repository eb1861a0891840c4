import type { AbortOptions, Brand, Codec, Service } from '../base/index.ts'

/** A described write; nothing happens until `transaction` applies it. */
export type Change = Brand<object, 'Change'>

/** Durable state of this machine: small collections of JSON values, changed atomically (ADR 0002). */
export interface KeyValueStore extends Service {
  /** A view of one collection; the same name always means the same data. Names match `^[a-z][a-z0-9-]*$`. */
  collection<T>(name: string, codec: Codec<T>): Collection<T>
  /** Applies all changes or none; durable when it resolves. Errors: `DB_WRITE_FAILED`, `DB_CLOSED`. */
  transaction(changes: readonly Change[]): Promise<void>
}

/** One collection. Ids are non-empty and at most 512 characters. */
export interface Collection<T> {
  /** Errors: `DB_DAMAGED_RECORD` when the stored value does not decode; names collection and id. */
  get(id: string): Promise<T | undefined>
  /** In order of id. A damaged record rejects like {@link Collection.get}. */
  list(options?: { readonly prefix?: string } & AbortOptions): AsyncIterable<readonly [id: string, value: T]>
  put(id: string, value: T): Change
  delete(id: string): Change
}
