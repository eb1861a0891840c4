import { isJsonObject, type JsonValue, nearest } from '../base/index.ts'
import { StorageBadSpecError } from './errors.ts'

/** Beyond this many characters a text is refused: certificates in PEM fit. */
const MAX_TEXT = 65_536

/** The members of a volume by name. */
export type VolumeFields = Readonly<Record<string, JsonValue>>

/** @throws StorageBadSpecError for what is no map, or an unknown field. */
export function volumeFields(spec: JsonValue, known: readonly string[]): VolumeFields {
  if (!isJsonObject(spec)) throw new StorageBadSpecError('volume', 'must be a map')
  for (const name of Object.keys(spec)) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    throw new StorageBadSpecError(name, near === undefined ? `is not one of ${known.join(', ')}` : `did you mean ${near}?`)
  }
  return spec
}

/** The text in `field`; `undefined` when it is missing, null or empty. */
export function optionalText(fields: VolumeFields, field: string): string | undefined {
  const value = fields[field]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw new StorageBadSpecError(field, 'must be a text')
  if (value.length > MAX_TEXT) throw new StorageBadSpecError(field, `is longer than ${MAX_TEXT} characters`)
  if (value.includes('\0')) throw new StorageBadSpecError(field, 'must not contain a zero byte')
  return value
}

/** The text in `field`, which must be there. */
export function requiredText(fields: VolumeFields, field: string): string {
  const value = optionalText(fields, field)
  if (value === undefined) throw new StorageBadSpecError(field, 'is missing')
  return value
}

/** The text in `field`, which must match; `expected` ends the refusal. */
export function matchingText(fields: VolumeFields, field: string, pattern: RegExp, expected: string): string | undefined {
  const value = optionalText(fields, field)
  if (value !== undefined && !pattern.test(value)) throw new StorageBadSpecError(field, expected)
  return value
}

/** A whole number of bytes, positive. */
export function optionalSize(fields: VolumeFields, field: string): number | undefined {
  const value = fields[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw new StorageBadSpecError(field, 'must be a positive whole number of bytes')
  }
  return value
}

/** The truth value in `field`; `false` when there is none. */
export function flag(fields: VolumeFields, field: string): boolean {
  const value = fields[field] ?? false
  if (typeof value !== 'boolean') throw new StorageBadSpecError(field, 'must be true or false')
  return value
}
