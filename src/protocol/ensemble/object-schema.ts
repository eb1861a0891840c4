import { isJsonObject, type JsonValue } from '../../base/index.ts'
import { below, type Dialect, kindOf, type Place, refuse, suggestion } from './reading.ts'
import { isList, type Schema } from './schema.ts'

/** Where a member stands and what it means. */
interface FieldBase<T> {
  /** Name on the wire, and in a file unless `file` says otherwise. */
  readonly wire: string
  readonly schema: Schema<T>
  /** One line for the reference page, and the hint when it is missing. */
  readonly note: string
  readonly file?: string
  /** Other names that are accepted. */
  readonly aliases?: readonly string[]
  /** What an empty value in a file stands for: YAML reads an unquoted `null` as nothing. */
  readonly whenNull?: string
}

/** A member that must be there. */
export interface RequiredField<T> extends FieldBase<T> {
  readonly presence: 'required'
}

/** A member that takes a value when it is missing, with a warning where that needs saying. */
export interface DefaultedField<T> extends FieldBase<T> {
  readonly presence: 'defaulted'
  readonly fallback: T
  readonly warning?: string
}

/** A member that may be missing. */
export interface OptionalField<T> extends FieldBase<T> {
  readonly presence: 'optional'
}

/** Any member. */
export type Field<T> = RequiredField<T> | DefaultedField<T> | OptionalField<T>

/** One field per member of `T`; optional members have optional fields. */
export type FieldsOf<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? OptionalField<NonNullable<T[K]>>
    : RequiredField<NonNullable<T[K]>> | DefaultedField<NonNullable<T[K]>>
}

type Extra = Partial<Pick<FieldBase<unknown>, 'file' | 'aliases' | 'whenNull'>>

/** Describes a member that must be there. */
export function required<T>(wire: string, schema: Schema<T>, note: string, extra: Extra = {}): RequiredField<T> {
  return { presence: 'required', wire, schema, note, ...extra }
}

/** Describes a member that may be missing. */
export function optional<T>(wire: string, schema: Schema<T>, note: string, extra: Extra = {}): OptionalField<T> {
  return { presence: 'optional', wire, schema, note, ...extra }
}

/** Describes a member with a default. */
export function defaulted<T>(
  wire: string,
  schema: Schema<T>,
  fallback: NoInfer<T>,
  note: string,
  extra: Extra & { readonly warning?: string } = {}
): DefaultedField<T> {
  return { presence: 'defaulted', wire, schema, fallback, note, ...extra }
}

/** One row of the reference page. */
export interface FieldRow {
  readonly name: string
  readonly about: string
  readonly presence: Field<unknown>['presence']
  readonly note: string
}

/** A schema of a map with known members. */
export interface ObjectSchema<T> extends Schema<T> {
  readonly rows: readonly FieldRow[]
}

/** What else there is to a map. */
export interface ObjectRule<T> {
  /** Names that are dropped without a word. */
  readonly ignored?: readonly string[]
  /** Names that are refused, with the reason. */
  readonly refused?: Readonly<Record<string, string>>
  /** Told what was understood, also when the whole is refused. */
  readonly note?: (partial: Partial<T>, place: Place) => void
}

/** Deeper places are refused: only supervisor trees nest at all. */
const MAX_DEPTH = 32

/**
 * A map with known members.
 *
 * Names match in any case; on the wire also without underscores, as the first era wrote them. Unknown members of a file are
 * warnings with the nearest known name; on the wire they are dropped. Go's zero values of optional members mean "not given".
 */
export function object<T extends object>(about: string, fields: NoInfer<FieldsOf<T>>, rule: ObjectRule<T> = {}): ObjectSchema<T> {
  const entries = Object.entries(fields) as [keyof T & string, Field<unknown>][]
  return {
    about,
    rows: entries.map(([, field]) => ({
      name: fileName(field),
      about: field.schema.about,
      presence: field.presence,
      note: field.note
    })),
    read(value, place) {
      const partial: Partial<Record<keyof T, unknown>> = {}
      const isComplete = readMembers({ value, place, entries, rule, partial })
      rule.note?.(partial as Partial<T>, place)
      return isComplete ? (partial as T) : undefined
    },
    encode(value) {
      const written = entries
        .filter(
          ([property, field]) => value[property] !== undefined && !(field.presence === 'defaulted' && isEmpty(value[property]))
        )
        .map(([property, field]) => [field.wire, field.schema.encode(value[property])] as const)
      return Object.fromEntries(written)
    }
  }
}

interface MembersTask<T> {
  readonly value: JsonValue
  readonly place: Place
  readonly entries: readonly (readonly [keyof T, Field<unknown>])[]
  readonly rule: ObjectRule<T>
  readonly partial: Partial<Record<keyof T, unknown>>
}

function readMembers<T>({ value, place, entries, rule, partial }: MembersTask<T>): boolean {
  if (!isJsonObject(value)) {
    refuse(place, `must be a map, is ${kindOf(value)}`)
    return false
  }
  if (place.path.length > MAX_DEPTH) {
    refuse(place, `is nested more than ${MAX_DEPTH} levels deep`)
    return false
  }
  const members = membersByName(value, place)
  let isComplete = Object.keys(value).length === members.size
  for (const [property, field] of entries) {
    const member = readField(field, members, place)
    if (member === 'refused') isComplete = false
    else if (member !== 'absent') partial[property] = member.value
  }
  const fields = entries.map(([, field]) => field)
  return !reportUnknown(members, { fields, rule, place }) && isComplete
}

interface Member {
  readonly name: string
  readonly value: JsonValue
}

/** Members by the form of their name that is compared; of two with the same form the first, and an error. */
function membersByName(value: { readonly [name: string]: JsonValue }, place: Place): ReadonlyMap<string, Member> {
  const members = new Map<string, Member>()
  for (const [name, member] of Object.entries(value)) {
    const form = plain(name, place.reading.dialect)
    const other = members.get(form)
    if (other === undefined) members.set(form, { name, value: member })
    else refuseRepeated(place, other.name, name)
  }
  return members
}

function refuseRepeated(place: Place, first: string, second: string): 'refused' {
  refuse(below(place, second), `is given twice: as ${first} and as ${second}`)
  return 'refused'
}

function plain(name: string, dialect: Dialect): string {
  const lower = name.toLowerCase()
  return dialect === 'file' ? lower : lower.replaceAll('_', '')
}

function fileName({ file, wire }: Field<unknown>): string {
  return file ?? wire
}

function namesOf(field: Field<unknown>): string[] {
  return [fileName(field), field.wire, ...(field.aliases ?? [])]
}

type FieldOutcome = { readonly value: unknown } | 'absent' | 'refused'

function readField(field: Field<unknown>, members: ReadonlyMap<string, Member>, place: Place): FieldOutcome {
  const { dialect } = place.reading
  const given = namesOf(field).map((name) => members.get(plain(name, dialect)))
  const [member, other] = new Set(given.filter((found) => found !== undefined))
  if (member !== undefined && other !== undefined) return refuseRepeated(place, member.name, other.name)
  const at = below(place, member?.name ?? (dialect === 'file' ? fileName(field) : field.wire))
  const value = member?.value === null && dialect === 'file' ? (field.whenNull ?? null) : (member?.value ?? null)
  if (isAbsent(value, field, dialect)) return withoutValue(field, at)
  const result = field.schema.read(value, at)
  return result === undefined ? 'refused' : { value: result }
}

function withoutValue(field: Field<unknown>, at: Place): FieldOutcome {
  switch (field.presence) {
    case 'optional':
      return 'absent'
    case 'required':
      refuse(at, `is missing: ${field.note}`)
      return 'refused'
    case 'defaulted':
      if (field.warning !== undefined) at.reading.warn(at.path, field.warning)
      return { value: field.fallback }
  }
}

function isAbsent(value: JsonValue, field: Field<unknown>, dialect: Dialect): boolean {
  if (value === null) return true
  if (field.presence === 'required') return false
  if (dialect === 'wire') return field.schema.hasOwnNames === true ? isEmptyMap(value) : isZero(value)
  return field.schema.isBlankNone === true && (value === '' || value === 0)
}

/** Go's zero value, alone or in every member: what a Go peer writes for a member that was not given. */
function isZero(value: JsonValue): boolean {
  if (value === null || value === '' || value === 0 || value === false) return true
  if (isList(value)) return value.length === 0
  return isJsonObject(value) && Object.values(value).every((member) => isZero(member))
}

function isEmptyMap(value: JsonValue): boolean {
  return isJsonObject(value) && Object.keys(value).length === 0
}

/** Whether a default need not be written, because every reader takes a missing member for the same. */
function isEmpty(value: unknown): boolean {
  if (value === false || value === 0) return true
  return Array.isArray(value) ? value.length === 0 : value instanceof Map && value.size === 0
}

interface KnownNames<T> {
  readonly fields: readonly Field<unknown>[]
  readonly rule: ObjectRule<T>
  readonly place: Place
}

/** Refuses, warns about or drops members that no field has taken; true when one was refused. */
function reportUnknown<T>(members: ReadonlyMap<string, Member>, { fields, rule, place }: KnownNames<T>): boolean {
  const { dialect } = place.reading
  const known = new Set(fields.flatMap((field) => namesOf(field)).map((name) => plain(name, dialect)))
  let isRefused = false
  for (const [name, member] of members) {
    if (known.has(name) || rule.ignored?.includes(name) === true) continue
    const at = below(place, member.name)
    const reason = rule.refused !== undefined && Object.hasOwn(rule.refused, name) ? rule.refused[name] : undefined
    if (reason !== undefined) {
      refuse(at, reason)
      isRefused = true
    } else if (dialect === 'file' && !isAnchor(at)) {
      place.reading.warn(at.path, `is not a known key and is ignored${suggestion(member.name, new Set(fields.map(fileName)))}`)
    }
  }
  return isRefused
}

/** Keys at the top of a file may exist only to be referred to. */
function isAnchor({ path, reading }: Place): boolean {
  const [name = ''] = path
  return path.length === 1 && (reading.anchored?.has(name) === true || name.startsWith('x-'))
}

/** What the names of a {@link record} must look like. */
export interface NameRule {
  readonly pattern: RegExp
  /** Completes `must be …`. */
  readonly expected: string
  readonly mayDifferInCase?: boolean
}

/** A map from names that the user chooses; names that differ only in case are refused. */
export function record<T>(item: Schema<T>, names: NameRule, max: number): Schema<ReadonlyMap<string, T>> {
  return {
    about: `map from names to ${item.about}`,
    hasOwnNames: true,
    read(value, place) {
      if (!isJsonObject(value)) return refuse(place, `must be a map, is ${kindOf(value)}`)
      const given = Object.entries(value)
      if (given.length > max) return refuse(place, `must have at most ${max} members, has ${given.length}`)
      const result = new Map<string, T>()
      const seen = new Map<string, string>()
      let isComplete = true
      for (const [name, member] of given) {
        const complaint = nameComplaint(name, names, seen)
        if (complaint !== undefined) refuse(below(place, name), complaint)
        const read = item.read(member, below(place, name))
        if (complaint !== undefined || read === undefined) isComplete = false
        else result.set(name, read)
      }
      return isComplete ? result : undefined
    },
    encode: (value) => Object.fromEntries([...value].map(([name, member]) => [name, item.encode(member)]))
  }
}

function nameComplaint(name: string, rule: NameRule, seen: Map<string, string>): string | undefined {
  if (!rule.pattern.test(name)) return `the name ${JSON.stringify(name.slice(0, 64))} must be ${rule.expected}`
  if (rule.mayDifferInCase === true) return undefined
  const other = seen.get(name.toLowerCase())
  seen.set(name.toLowerCase(), name)
  return other === undefined ? undefined : `the name differs from ${other} only in case`
}

/** One of several maps, told apart by the member `tag`. */
export function tagged<T extends object>(tag: keyof T & string, variants: Readonly<Record<string, Schema<T>>>): Schema<T> {
  const words = Object.keys(variants)
  return {
    about: `map with \`${tag}\`: ${words.map((word) => `\`${word}\``).join(' or ')}`,
    read(value, place) {
      if (!isJsonObject(value)) return refuse(place, `must be a map with ${tag}: ${words.join(' or ')}, is ${kindOf(value)}`)
      const [name, word] = Object.entries(value).find(([key]) => key.toLowerCase() === tag) ?? [tag, null]
      const at = below(place, name)
      if (word === null) return refuse(at, `is missing: one of ${words.join(', ')}`)
      const variant = typeof word === 'string' && Object.hasOwn(variants, word) ? variants[word] : undefined
      return variant === undefined ? refuse(at, `must be one of ${words.join(', ')}`) : variant.read(value, place)
    },
    encode(value) {
      const word = String(value[tag])
      return variants[word]?.encode(value)
    }
  }
}
