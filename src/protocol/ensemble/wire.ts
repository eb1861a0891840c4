import { err, type Issue, invariant, isJsonObject, type JsonValue, ok, type Result } from '../../base/index.ts'
import { crossCheck } from './checks.ts'
import type { EnsembleConfig, Execution, ExecutionView } from './model.ts'
import { createReading, type Finding, type Reading } from './reading.ts'
import { ensembleSchema } from './rules/ensemble.ts'
import { containerdSchema, dockerSchema, firecrackerSchema, microvmSchema, ociSchema, wasmSchema } from './rules/execution.ts'
import type { Schema } from './schema.ts'

/** What a decoder is told about this machine. */
export interface DecodeOptions {
  /** Names of executors that are accepted besides the known ones. */
  readonly executors?: readonly string[]
}

/** The ensemble as it travels (C §7.7): `{"v1": {…}}`, sizes in bytes, clock in Hz, scripts base64, intervals in nanoseconds. */
export function encodeEnsemble(config: EnsembleConfig): unknown {
  return { v1: ensembleSchema.encode(config) }
}

/**
 * Reads an ensemble from the network or the disk.
 *
 * Names of members match in any case and with or without underscores, so both eras come in. All rules of the file apply, so
 * that what is returned is safe to use: counts and sizes are bounded, names cannot leave a directory, references exist.
 */
export function decodeEnsemble(value: JsonValue, options: DecodeOptions = {}): Result<EnsembleConfig, readonly Issue[]> {
  const body = isJsonObject(value) ? Object.entries(value).find(([name]) => name.toLowerCase() === 'v1')?.[1] : undefined
  if (body === undefined) return err([{ path: 'v1', message: 'is missing: only version 1 of the ensemble is known' }])
  const reading = createReading({ ...options, dialect: 'wire', root: body })
  const config = readEnsemble(body, reading)
  return config === undefined ? err(reading.errors.map(toIssue)) : ok(config)
}

/** Reads a tree by all rules and the cross checks; nothing when the reading has errors. */
export function readEnsemble(tree: JsonValue, reading: Reading): EnsembleConfig | undefined {
  const config = ensembleSchema.read(tree, { reading, path: [] })
  for (const { path, message } of crossCheck(reading)) reading.error(path, message)
  return reading.errors.length === 0 ? config : undefined
}

/** A finding without its structure. */
export function toIssue({ path, message }: Finding): Issue {
  return { path: path.join('.'), message }
}

/** The parameters of a checked execution, typed. */
export function viewExecution({ type, params }: Execution): ExecutionView {
  switch (type) {
    case 'docker':
      return { type, params: readParams(dockerSchema, params) }
    case 'oci':
      return { type, params: readParams(ociSchema, params) }
    case 'wasm':
      return { type, params: readParams(wasmSchema, params) }
    case 'microvm':
      return { type, params: readParams(microvmSchema, params) }
    case 'firecracker':
      return { type, params: readParams(firecrackerSchema, params) }
    case 'containerd':
      return { type, params: readParams(containerdSchema, params) }
    case 'null':
      return { type }
    default:
      return { type: 'other', executor: type, params }
  }
}

function readParams<T>(schema: Schema<T>, params: JsonValue): T {
  const reading = createReading({ dialect: 'wire', root: null })
  const read = schema.read(params, { reading, path: [] })
  invariant(read !== undefined, `parameters of ${schema.about} were not checked`)
  return read
}
