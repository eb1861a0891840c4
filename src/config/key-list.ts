import { KEYS, variableOf } from './keys.ts'
import { DEPRECATED_KEYS } from './schema.ts'

/** One key of the configuration file, for help, completion and manual pages. */
export interface ConfigKey {
  readonly name: string
  /** The type in words, with its unit. */
  readonly type: string
  /** All values there are, when they are few. */
  readonly words: readonly string[]
  /** Texts that `config set` takes, the most ordinary one first. */
  readonly examples: readonly string[]
  /** Texts that it refuses. */
  readonly counterexamples: readonly string[]
  readonly default: unknown
  readonly doc: string
  readonly variable: string
  readonly isSecret: boolean
  /** Whether anything reads it in this version. */
  readonly hasEffect: boolean
  /** What stands for it now, when it is deprecated. */
  readonly successor?: string
}

/** Every key in the order of the schema, then the deprecated ones. */
export function configKeys(): readonly ConfigKey[] {
  const current = KEYS.map(({ name, key }) => ({
    name,
    type: key.unit === undefined ? key.type.name : `${key.type.name}, ${key.unit}`,
    words: key.type.words ?? [],
    examples: key.type.examples,
    counterexamples: key.type.counterexamples,
    default: key.default,
    doc: key.doc,
    variable: variableOf(name),
    isSecret: key.isSecret,
    hasEffect: key.effect === 'full'
  }))
  const deprecated = Object.entries(DEPRECATED_KEYS).flatMap(([name, successor]) =>
    current
      .filter((key) => key.name === successor)
      .map((key) => ({ ...key, name, variable: variableOf(name), successor, doc: `Deprecated: ${successor}.` }))
  )
  return [...current, ...deprecated]
}
