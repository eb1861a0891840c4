import type { Result } from './result.ts'

/** What is wrong at which place of a value: `path` is dotted, empty for the value itself. */
export interface Issue {
  readonly path: string
  readonly message: string
}

/** Both directions between a value of the domain and its JSON form. */
export interface Codec<T> {
  decode(wire: unknown): Result<T, readonly Issue[]>
  encode(value: T): unknown
}

/** Issues as one line: `resources.cpu: must be positive; version: is missing`. */
export function describeIssues(issues: readonly Issue[]): string {
  return issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
}
