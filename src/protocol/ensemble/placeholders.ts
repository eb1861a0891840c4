import { isJsonObject, type JsonValue, type Result } from '../../base/index.ts'
import type { Path } from './reading.ts'
import { isList } from './schema.ts'

/** Where placeholders take their values, and where complaints go. */
export interface PlaceholderSources {
  readonly environment: Readonly<Record<string, string | undefined>>
  readText(path: string): Result<string, string>
  report(path: Path, message: string): void
}

/** A value may bring new placeholders this many times; then it refers to itself. */
const MAX_ROUNDS = 10

/** Longest text of all values together, in characters. */
const MAX_TOTAL = 2 * 1024 * 1024

/** Deeper trees are refused by the reader of the file; here only against endless recursion. */
const MAX_DEPTH = 64

/** The innermost placeholder that is not escaped with a second dollar. */
const INNERMOST = /(?<!\$)\$\{([^{}]*)\}/g

/** Source, key, modifier and default. */
const PARTS = /^(?:([a-zA-Z]+):(?!-))?([^|]*?)(?:\|(.*?))?(?::-(.*))?$/s

class PlaceholderError extends Error {}

/**
 * Replaces `${source:key:-default}` in every text of a tree (C §7.2).
 *
 * `env` (also without a source) takes a variable of the environment, `file` the text of a file. A value may bring further
 * placeholders, at most {@link MAX_ROUNDS} times. `$${` stands for `${`. Texts that cannot be resolved are reported and kept.
 */
export function resolvePlaceholders(tree: JsonValue, sources: PlaceholderSources): JsonValue {
  let total = 0

  function visit(value: JsonValue, path: Path): JsonValue {
    if (typeof value === 'string') return resolveAt(value, path)
    if (path.length > MAX_DEPTH) return value
    if (isList(value)) return value.map((item, index) => visit(item, [...path, String(index)]))
    if (!isJsonObject(value)) return value
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, visit(member, [...path, name])]))
  }

  function resolveAt(text: string, path: Path): string {
    try {
      const resolved = resolveText(text, sources, MAX_TOTAL - total)
      if (resolved !== text) total += resolved.length
      return resolved
    } catch (error) {
      if (!(error instanceof PlaceholderError)) throw error
      sources.report(path, error.message)
      return text
    }
  }

  return visit(tree, [])
}

function resolveText(text: string, sources: PlaceholderSources, room: number): string {
  let current = text
  for (let round = 0; current.search(INNERMOST) >= 0; round += 1) {
    if (round === MAX_ROUNDS)
      throw new PlaceholderError(`still has a placeholder after ${MAX_ROUNDS} rounds: does it refer to itself?`)
    current = current.replace(INNERMOST, (_, body: string) => resolveOne(body, sources))
    if (current.length > room) throw new PlaceholderError(`the values of all placeholders have more than ${MAX_TOTAL} characters`)
  }
  return current.replaceAll('$${', '${')
}

function resolveOne(body: string, sources: PlaceholderSources): string {
  const [, source = 'env', key = '', modifier, fallback] = PARTS.exec(body) ?? []
  const shown = `\${${body.slice(0, 64)}}`
  if (key === '') throw new PlaceholderError(`${shown} names nothing: write \${env:NAME} or \${file:path}`)
  if (modifier !== undefined)
    throw new PlaceholderError(`${shown} has the modifier ${modifier.slice(0, 32)}: modifiers are not supported`)
  const value = lookUp(source.toLowerCase(), key, { shown, sources, hasFallback: fallback !== undefined })
  return value ?? fallback ?? ''
}

interface LookUp {
  readonly shown: string
  readonly sources: PlaceholderSources
  readonly hasFallback: boolean
}

/** The value; nothing where the default shall be taken, which as in a shell includes an empty variable. */
function lookUp(source: string, key: string, { shown, sources, hasFallback }: LookUp): string | undefined {
  if (source === 'env') {
    const value = Object.hasOwn(sources.environment, key) ? sources.environment[key] : undefined
    if (value === undefined && !hasFallback) {
      throw new PlaceholderError(
        `the environment has no ${key}: set it, write \${${key}:-default}, or $\${${key}} for the text itself`
      )
    }
    return hasFallback && value === '' ? undefined : value
  }
  if (source !== 'file') throw new PlaceholderError(`${shown} has the unknown source ${source}: use env or file`)
  const content = sources.readText(key)
  if (content.ok) return content.value
  if (hasFallback) return undefined
  throw new PlaceholderError(`the file ${JSON.stringify(key)} ${content.error}`)
}
