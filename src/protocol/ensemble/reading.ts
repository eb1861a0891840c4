import { type JsonValue, nearest, type Result } from '../../base/index.ts'
import type { EnsembleAllocation, EnsembleConfig, EnsembleNode } from './model.ts'

/** `file`: what people write (units, templates, older spellings). `wire`: what nodes send (bytes, nanoseconds, both eras). */
export type Dialect = 'file' | 'wire'

/** The steps from the top of the tree to a value. */
export type Path = readonly string[]

/** Something to tell, at a place. */
export interface Finding {
  readonly path: Path
  readonly message: string
}

/** What was understood of allocations, nodes and the whole, also where a part was refused: what the cross checks look at. */
export interface Outline {
  readonly allocations: ReadonlyMap<string, Partial<EnsembleAllocation>>
  readonly nodes: ReadonlyMap<string, Partial<EnsembleNode>>
  readonly ensemble: Partial<EnsembleConfig>
}

/** What is given to a reading. */
export interface ReadingOptions {
  readonly dialect: Dialect
  /** The tree in which templates are looked up. */
  readonly root: JsonValue
  /** Names of executors that are accepted besides the known ones; their parameters are taken as they are. */
  readonly executors?: readonly string[]
  /** Content of a file that the ensemble names, or why there is none. */
  readonly readBinary?: (path: string) => Result<Uint8Array, string>
  /** Members at the top of the file that are there to be referred to by alias. */
  readonly anchored?: ReadonlySet<string>
  /** Dotted paths about which an error has been told already. */
  readonly muted?: ReadonlySet<string>
  /** Errors that were found before the reading. */
  readonly told?: readonly Finding[]
}

/** One pass over one ensemble: its circumstances, and what it found. */
export interface Reading extends ReadingOptions {
  readonly errors: readonly Finding[]
  readonly warnings: readonly Finding[]
  readonly outline: Outline
  error(path: Path, message: string): void
  warn(path: Path, message: string): void
  noteAllocation(name: string, partial: Partial<EnsembleAllocation>): void
  noteNode(name: string, partial: Partial<EnsembleNode>): void
  noteEnsemble(partial: Partial<EnsembleConfig>): void
}

/** A value's place in one reading. */
export interface Place {
  readonly reading: Reading
  readonly path: Path
}

/** Findings beyond this are dropped: nobody reads them, and a hostile sender could have us write them. */
const MAX_FINDINGS = 200

/** A fresh reading without findings. */
export function createReading(options: ReadingOptions): Reading {
  const errors: Finding[] = [...(options.told ?? [])]
  const warnings: Finding[] = []
  const allocations = new Map<string, Partial<EnsembleAllocation>>()
  const nodes = new Map<string, Partial<EnsembleNode>>()
  let ensemble: Partial<EnsembleConfig> = {}
  return {
    ...options,
    errors,
    warnings,
    get outline() {
      return { allocations, nodes, ensemble }
    },
    error(path, message) {
      if (options.muted?.has(path.join('.')) !== true) add(errors, { path, message })
    },
    warn: (path, message) => add(warnings, { path, message }),
    noteAllocation: (name, partial) => void allocations.set(name, partial),
    noteNode: (name, partial) => void nodes.set(name, partial),
    noteEnsemble(partial) {
      ensemble = partial
    }
  }
}

function add(findings: Finding[], finding: Finding): void {
  if (findings.length >= MAX_FINDINGS) return
  const isKnown = findings.some((other) => other.message === finding.message && other.path.join('\0') === finding.path.join('\0'))
  if (!isKnown) findings.push(finding)
}

/** The place of a member or item. */
export function below(place: Place, step: string): Place {
  return { reading: place.reading, path: [...place.path, step] }
}

/** Notes an error; returns what a refused value reads as. */
export function refuse(place: Place, message: string): undefined {
  place.reading.error(place.path, message)
  return undefined
}

/** Says what a value is, for messages: never the text of a string, which may be a secret. */
export function kindOf(value: JsonValue): string {
  if (value === null) return 'empty'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  return typeof value === 'string' ? 'a text' : `${value}`
}

/** Two shorter names are always near each other. */
const SHORTEST_HINT = 3

/** ` (did you mean x?)` where a candidate is near, otherwise nothing. */
export function suggestion(wanted: string, candidates: Iterable<string>): string {
  if (wanted.length < SHORTEST_HINT) return ''
  const near = nearest(wanted.slice(0, 64).toLowerCase(), candidates)
  return near === undefined ? '' : ` (did you mean ${near}?)`
}
