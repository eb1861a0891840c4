import {
  type Codec,
  decodeBase64,
  encodeBase64,
  err,
  type Issue,
  isJsonObject,
  type JsonValue,
  ok,
  type Result
} from '../base/index.ts'

/** What a codec's JSON looks like: source of the reference pages. */
export type Shape =
  | {
      readonly type: 'text' | 'integer' | 'number' | 'boolean' | 'bytes' | 'json' | 'nothing'
      /** What it is measured in, or the form of a text: `bytes`, `Hz`, `RFC 3339`. */
      readonly unit?: string
    }
  | { readonly type: 'list'; readonly of: Shape }
  | {
      readonly type: 'map'
      readonly of: Shape
      /** What its names are. */
      readonly keys?: string
    }
  | {
      readonly type: 'object'
      readonly members: readonly { readonly name: string; readonly optional: boolean; readonly shape: Shape }[]
    }

/** A codec of the Go dialect that can also describe itself (ADR 0004). */
export interface WireCodec<T> extends Codec<T> {
  readonly shape: Shape
}

/** What a codec carries. */
export type ValueOf<C> = C extends WireCodec<infer T> ? T : never

type Decoded<T> = Result<T, readonly Issue[]>

function wrong<T>(message: string): Decoded<T> {
  return err([{ path: '', message }])
}

/** A text of at most `limit` characters; Go's zero value for a missing one is `''`. */
export function text(limit = 4096): WireCodec<string> {
  return {
    shape: { type: 'text' },
    decode(wire) {
      if (wire === null || wire === undefined) return ok('')
      if (typeof wire !== 'string') return wrong('must be a text')
      return wire.length <= limit ? ok(wire) : wrong(`must have at most ${limit} characters, has ${wire.length}`)
    },
    encode: (value) => value
  }
}

/** A safe integer; accepts integral floats, as older peers send sizes. */
export function integer({ min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = {}): WireCodec<number> {
  return {
    shape: { type: 'integer' },
    decode(wire) {
      if (wire === null || wire === undefined) return ok(0)
      if (typeof wire !== 'number' || !Number.isSafeInteger(wire)) return wrong('must be an integer below 2^53')
      return wire >= min && wire <= max ? ok(wire) : wrong(`must be between ${min} and ${max}, is ${wire}`)
    },
    encode: (value) => value
  }
}

/** A finite number. */
export const number: WireCodec<number> = {
  shape: { type: 'number' },
  decode(wire) {
    if (wire === null || wire === undefined) return ok(0)
    return typeof wire === 'number' && Number.isFinite(wire) ? ok(wire) : wrong('must be a number')
  },
  encode: (value) => value
}

/** A finite number from 0 to `max`: what counts things of which there is never less than nothing. */
export function quantity(max: number): WireCodec<number> {
  return {
    ...number,
    decode(wire) {
      const value = number.decode(wire)
      return !value.ok || (value.value >= 0 && value.value <= max)
        ? value
        : wrong(`must be between 0 and ${max}, is ${value.value}`)
    }
  }
}

/** The same with its unit, for the reference pages. */
export function measured<T>(unit: string, codec: WireCodec<T>): WireCodec<T> {
  const { shape } = codec
  return 'of' in shape || 'members' in shape ? codec : { ...codec, shape: { ...shape, unit } }
}

/** A yes or no. */
export const flag: WireCodec<boolean> = {
  shape: { type: 'boolean' },
  decode(wire) {
    if (wire === null || wire === undefined) return ok(false)
    return typeof wire === 'boolean' ? ok(wire) : wrong('must be true or false')
  },
  encode: (value) => value
}

/** Bytes as base64, at most `limit` of them. */
export function binary(limit: number): WireCodec<Uint8Array> {
  return {
    shape: { type: 'bytes' },
    decode(wire) {
      if (wire === null || wire === undefined) return ok(new Uint8Array())
      if (typeof wire !== 'string') return wrong('must be base64 text')
      if (wire.length > (limit * 4) / 3 + 4) return wrong(`must be at most ${limit} bytes`)
      const data = decodeBase64(wire)
      return data.ok ? data : wrong(data.error)
    },
    encode: encodeBase64
  }
}

/** Any JSON. */
export const json: WireCodec<JsonValue> = {
  shape: { type: 'json' },
  decode: (wire) => ok((wire ?? null) as JsonValue),
  encode: (value) => value
}

/** No payload; whatever comes is ignored. */
export const nothing: WireCodec<null> = { shape: { type: 'nothing' }, decode: () => ok(null), encode: () => null }

/** A list; Go writes an empty one as `null`. */
export function list<T>(item: WireCodec<T>, limit = 1024): WireCodec<readonly T[]> {
  return {
    shape: { type: 'list', of: item.shape },
    decode(wire) {
      if (wire === null || wire === undefined) return ok([])
      if (!Array.isArray(wire)) return wrong('must be a list')
      if (wire.length > limit) return wrong(`must have at most ${limit} entries, has ${wire.length}`)
      return collect(
        wire.map((entry: unknown, index) => [String(index), item.decode(entry)] as const),
        (values) => values
      )
    },
    encode: (values) => values.map((value) => item.encode(value))
  }
}

/** A map from names to values, of which `keys` says for the reference what they are; Go writes an empty one as `null`. */
export function map<T>(item: WireCodec<T>, limit = 1024, keys = 'name'): WireCodec<Readonly<Record<string, T>>> {
  return {
    shape: { type: 'map', of: item.shape, keys },
    decode(wire) {
      if (wire === null || wire === undefined) return ok({})
      if (!isJsonObject(wire)) return wrong('must be an object')
      const entries = Object.entries(wire)
      if (entries.length > limit) return wrong(`must have at most ${limit} members, has ${entries.length}`)
      return collect(
        entries.map(([name, value]) => [name, item.decode(value)] as const),
        (values) => Object.fromEntries(entries.map(([name], index) => [name, values[index] as T]))
      )
    },
    encode: (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, item.encode(value)]))
  }
}

function collect<T, R>(parts: readonly (readonly [string, Decoded<T>])[], join: (values: T[]) => R): Decoded<R> {
  const issues: Issue[] = []
  const values: T[] = []
  for (const [name, part] of parts) {
    if (part.ok) values.push(part.value)
    else issues.push(...part.error.map(({ path, message }) => ({ path: path === '' ? name : `${name}.${path}`, message })))
  }
  return issues.length === 0 ? ok(join(values)) : err(issues)
}

/** One member of an object: its name on the wire and other names under which it is accepted. */
export interface Member<T, Optional extends boolean = boolean> {
  readonly wire: string
  readonly codec: WireCodec<T>
  readonly optional: Optional
  readonly aliases: readonly string[]
}

/** A member that is always written. Missing on input, it takes Go's zero value where its codec has one. */
export function member<T>(wire: string, codec: WireCodec<T>, ...aliases: string[]): Member<T, false> {
  return { wire, codec, optional: false, aliases }
}

/** A member that may be missing and is left out when undefined. */
export function maybe<T>(wire: string, codec: WireCodec<T>, ...aliases: string[]): Member<T, true> {
  return { wire, codec, optional: true, aliases }
}

type Members = Readonly<Record<string, Member<unknown>>>
type MemberValue<M> = M extends Member<infer T> ? T : never
type OptionalKeys<M extends Members> = { [K in keyof M]: M[K] extends Member<unknown, true> ? K : never }[keyof M]

/** The value that an object codec with these members carries. */
export type ObjectOf<M extends Members> = { readonly [K in Exclude<keyof M, OptionalKeys<M>>]: MemberValue<M[K]> } & {
  readonly [K in OptionalKeys<M>]?: MemberValue<M[K]> | undefined
}

/**
 * An object of the Go dialect.
 *
 * Written in the order of the members under their wire names; read under any spelling that differs only in case and
 * underscores, so that both eras (`EnsembleID`, `ensemble_id`) come in (C §0). Unknown members are ignored, as Go does.
 */
export function object<const M extends Members>(members: M): WireCodec<ObjectOf<M>> {
  const entries = Object.entries<Member<unknown>>(members)
  return {
    shape: {
      type: 'object',
      members: entries.map(([, { wire, optional, codec }]) => ({ name: wire, optional, shape: codec.shape }))
    },
    decode(input) {
      if (input !== null && input !== undefined && !isJsonObject(input)) return wrong('must be an object')
      const exact = new Map(Object.entries(input ?? {}))
      const given = new Map([...exact].map(([name, value]) => [plain(name), value] as const))
      const parts = entries.flatMap(([key, { wire, aliases, codec, optional }]) => {
        const value =
          exact.get(wire) ?? [wire, ...aliases].map((name) => given.get(plain(name))).find((found) => found !== undefined)
        if (optional && (value === undefined || value === null)) return []
        return [{ key, wire, part: codec.decode(value) }]
      })
      return collect(
        parts.map(({ wire, part }) => [wire, part] as const),
        (values) => Object.fromEntries(parts.map(({ key }, index) => [key, values[index]])) as ObjectOf<M>
      )
    },
    encode(value) {
      const given = value as Readonly<Record<string, unknown>>
      return Object.fromEntries(
        entries
          .filter(([key]) => given[key] !== undefined)
          .map(([key, { wire, codec }]) => [wire, codec.encode(given[key])] as const)
      )
    }
  }
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll('_', '')
}
