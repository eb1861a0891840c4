import { type Bytes, decodeBase64, type Millis, millis } from '../../base/index.ts'
import { ExecutorBadSpecError } from '../errors.ts'
import type { Workload } from '../executor.ts'
import {
  checkFeatures,
  checkLimits,
  environment,
  NO_FEATURES,
  optionalInteger,
  optionalTexts,
  type SpecFields,
  specFields
} from '../spec.ts'

/** What to run, checked. */
export interface WasmSpec {
  readonly module: Uint8Array
  /** Arguments after the program's name. */
  readonly args: readonly string[]
  /** `KEY=VALUE`. */
  readonly environment: readonly string[]
  /** Wall-clock limit; `undefined`: none. */
  readonly timeout: Millis | undefined
}

const FIELDS: readonly string[] = ['module', 'args', 'environment', 'timeout']
/** `\0asm` and version 1: a component (another version) is not a WASI preview 1 module. */
const HEADER: readonly number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]
const WASM_PAGE = 65_536
const MAX_TIMEOUT_SECONDS = 31_536_000

/**
 * Reads `execution` of an allocation with `executor: wasm`.
 *
 * `module` is the base64 text of a WASI preview 1 module of at most `maxModule` bytes; `args`, `environment` (list or map) and
 * `timeout` (whole seconds) are optional. Only the header of the module is looked at: compiling is left to its own process.
 *
 * @throws ExecutorBadSpecError naming the field.
 */
export function parseWasmSpec(workload: Workload, maxModule: Bytes): WasmSpec {
  const fields = specFields(workload, FIELDS)
  checkLimits(workload)
  if (workload.ports.length > 0) throw new ExecutorBadSpecError('ports', 'a WASI module cannot listen on ports')
  checkFeatures('wasm', NO_FEATURES, workload)
  if (workload.limits.memory < WASM_PAGE) throw new ExecutorBadSpecError('limits.memory', `must be at least ${WASM_PAGE} bytes`)
  const timeout = optionalInteger(fields, 'timeout', 1, MAX_TIMEOUT_SECONDS)
  return {
    module: readModule(fields, maxModule),
    args: optionalTexts(fields, 'args') ?? [],
    environment: environment(fields),
    timeout: timeout === undefined ? undefined : millis(timeout * 1000)
  }
}

function readModule(fields: SpecFields, maxModule: Bytes): Uint8Array {
  const encoded = fields['module']
  if (typeof encoded !== 'string') throw new ExecutorBadSpecError('module', 'must be the base64 text of a WebAssembly module')
  if (encoded.length > Math.ceil(maxModule / 3) * 4) throw new ExecutorBadSpecError('module', `is larger than ${maxModule} bytes`)
  const decoded = decodeBase64(encoded)
  if (!decoded.ok) throw new ExecutorBadSpecError('module', decoded.error)
  if (HEADER.some((byte, index) => decoded.value[index] !== byte)) {
    throw new ExecutorBadSpecError('module', 'is not a WebAssembly module (version 1)')
  }
  return decoded.value
}
