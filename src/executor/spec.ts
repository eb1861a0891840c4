import { isJsonObject, type JsonValue, nearest } from '../base/index.ts'
import { ExecutorBadSpecError, ExecutorUnsupportedError } from './errors.ts'
import type { ExecutorFeatures, Workload } from './executor.ts'

const WORKLOAD_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/
const VARIABLE = /^[^=\0]+=[^\0]*$/

/** Beyond this many list items or variables a description is refused. */
const MAX_ITEMS = 1024
/** Beyond this many characters a single text is refused (Linux refuses a longer argument too). */
const MAX_TEXT = 131_072

/** The members of an `execution` by name; reads one field at a time and names it when it is not acceptable. */
export type SpecFields = Readonly<Record<string, JsonValue>>

/**
 * The members of `workload.spec`, which may have only the names in `known` besides `type`, the tag of the ensemble's union.
 *
 * @throws ExecutorBadSpecError for a spec that is no map, an unknown field, or an id that is none.
 */
export function specFields(workload: Workload, known: readonly string[]): SpecFields {
  if (!WORKLOAD_ID.test(workload.id)) throw new ExecutorBadSpecError('id', `must match ${WORKLOAD_ID.source}`)
  const { spec } = workload
  if (!isJsonObject(spec)) throw new ExecutorBadSpecError('execution', 'must be a map')
  for (const name of Object.keys(spec)) {
    if (name === 'type' || known.includes(name)) continue
    const near = nearest(name, known)
    throw new ExecutorBadSpecError(name, near === undefined ? `is not one of ${known.join(', ')}` : `did you mean ${near}?`)
  }
  return spec
}

/** The text in `field`, or `undefined` when there is none. */
export function optionalText(fields: SpecFields, field: string): string | undefined {
  const value = fields[field]
  return value === undefined || value === null ? undefined : text(value, field)
}

/** The whole number in `field` within the bounds, or `undefined` when there is none. */
export function optionalInteger(fields: SpecFields, field: string, minimum: number, maximum: number): number | undefined {
  const value = fields[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
    throw new ExecutorBadSpecError(field, `must be a whole number from ${minimum} to ${maximum}`)
  }
  return value
}

/** The truth value in `field`; `false` when there is none. */
export function flag(fields: SpecFields, field: string): boolean {
  const value = fields[field] ?? false
  if (typeof value !== 'boolean') throw new ExecutorBadSpecError(field, 'must be true or false')
  return value
}

/** The list of texts in `field`, or `undefined` when there is none. */
export function optionalTexts(fields: SpecFields, field: string): readonly string[] | undefined {
  const value = fields[field]
  if (value === undefined || value === null) return undefined
  if (!isList(value)) throw new ExecutorBadSpecError(field, 'must be a list of texts')
  if (value.length > MAX_ITEMS)
    throw new ExecutorBadSpecError(field, `has ${value.length} items, at most ${MAX_ITEMS} are allowed`)
  return value.map((item, index) => text(item, `${field}.${index}`))
}

/** The variables in `environment` as `KEY=VALUE`, from a list of such texts or a map; empty when there is none. */
export function environment(fields: SpecFields): readonly string[] {
  const value = fields['environment']
  const variables = isJsonObject(value) ? variablesOfMap(value) : (optionalTexts(fields, 'environment') ?? [])
  if (variables.length > MAX_ITEMS) throw new ExecutorBadSpecError('environment', `has more than ${MAX_ITEMS} variables`)
  for (const [index, variable] of variables.entries()) {
    if (!VARIABLE.test(variable)) throw new ExecutorBadSpecError(`environment.${index}`, 'must be KEY=VALUE')
  }
  return variables
}

function variablesOfMap(map: SpecFields): string[] {
  return Object.entries(map).map(([name, value]) => {
    const field = `environment.${name}`
    if (name === '' || name.includes('=')) throw new ExecutorBadSpecError(field, 'a name must not be empty or contain "="')
    const isPlain = typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
    return `${name}=${isPlain ? String(value) : text(value, field)}`
  })
}

function text(value: JsonValue, field: string): string {
  if (typeof value !== 'string') throw new ExecutorBadSpecError(field, 'must be a text')
  if (value.length > MAX_TEXT) throw new ExecutorBadSpecError(field, `is longer than ${MAX_TEXT} characters`)
  if (value.includes('\0')) throw new ExecutorBadSpecError(field, 'must not contain a zero byte')
  return value
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}

/** @throws ExecutorBadSpecError for a limit that is not positive, or a directory that is not absolute. */
export function checkLimits({ limits, directory }: Workload): void {
  for (const name of ['cpuCores', 'memory', 'disk', 'pids'] as const) {
    if (!(limits[name] > 0 && Number.isFinite(limits[name]))) throw new ExecutorBadSpecError(`limits.${name}`, 'must be positive')
  }
  if (!directory.startsWith('/')) throw new ExecutorBadSpecError('directory', `must be absolute, is ${JSON.stringify(directory)}`)
}

/** What a driver can do that only runs programs. */
export const NO_FEATURES: ExecutorFeatures = Object.freeze({
  ports: false,
  mounts: false,
  files: false,
  scripts: false,
  gpus: false,
  exec: false
})

/** @throws ExecutorUnsupportedError when the workload asks for what this kind of executor cannot do. */
export function checkFeatures(kind: string, features: ExecutorFeatures, workload: Workload): void {
  for (const name of ['ports', 'mounts', 'files', 'scripts', 'gpus'] as const) {
    if ((workload[name] ?? []).length > 0 && !features[name]) {
      throw new ExecutorUnsupportedError(`the executor ${kind} gives no ${name} to a workload`)
    }
  }
}
