/**
 * base: building blocks without I/O that every other module may use.
 *
 * Imports: nothing.
 * State: none.
 */
export {
  anySignal,
  createSerialQueue,
  type LinkedSignal,
  linkSignals,
  mapConcurrently,
  type SerialQueue,
  withTimeout
} from './async.ts'
export type { Brand } from './brand.ts'
export { type Budget, type BudgetSize, createBudget, createBudgets } from './budget.ts'
export { type AbortOptions, type Clock, setAlarm, systemClock } from './clock.ts'
export { type Codec, describeIssues, type Issue } from './codec.ts'
export { parseGoDuration } from './duration.ts'
export {
  CancelledError,
  DmsError,
  type DmsErrorOptions,
  type ErrorDetails,
  type ErrorKind,
  EXIT_CODES,
  errorMessage,
  HTTP_STATUS,
  hasErrno,
  InvariantError,
  invariant,
  TimeoutError,
  unreachable
} from './errors.ts'
export { type ImageName, isImageDigest, parseImageName } from './image-reference.ts'
export { encodeGoJson, isJsonObject, type JsonValue, parseJson } from './json.ts'
export { createServiceGroup, type Service } from './lifecycle.ts'
export { type LogFields, type Logger, silentLogger } from './log.ts'
export {
  type AddressLookup,
  createPublicLookup,
  isListedHost,
  isPublicAddress,
  PrivateAddressError,
  refusePrivateHost,
  refusePrivateLiteral,
  SPECIAL_IPV4_BLOCKS,
  SPECIAL_IPV6_BLOCKS
} from './public-address.ts'
export { type Random, randomHex, randomInt, shuffled, systemRandom } from './random.ts'
export { clashIn, isRelativePath } from './relative-path.ts'
export { err, ok, type Result } from './result.ts'
export { createSecret, type Secret } from './secret.ts'
export { type ProgramBuild, programBuild, type SelfProgram, selfProgram } from './self-program.ts'
export {
  bytesEqual,
  decodeBase32,
  decodeBase58,
  decodeBase64,
  decodeHex,
  encodeBase32,
  encodeBase58,
  encodeBase64,
  encodeHex,
  fromUtf8,
  nearest,
  utf8
} from './text.ts'
export { createCountedTurns, createSystemTurns, type Turns } from './turns.ts'
export {
  type Bytes,
  bytes,
  fromNanos,
  gibibytes,
  hours,
  type Millis,
  mebibytes,
  millis,
  minutes,
  seconds,
  toNanos
} from './units.ts'
