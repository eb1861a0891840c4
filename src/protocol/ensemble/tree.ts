import {
  type Alias,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  type YAMLMap
} from 'yaml'
import { err, errorMessage, type JsonValue, ok, type Result } from '../../base/index.ts'
import type { EnsembleIssue } from './model.ts'
import type { Path } from './reading.ts'

/** Line and column, from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A YAML text as a tree without shared parts, which still knows where everything stood. */
export interface SourceTree {
  readonly tree: JsonValue
  /** Members at the top that have an anchor, or hold one: they are there to be referred to. */
  readonly anchored: ReadonlySet<string>
  /** Where a value stands, or the nearest thing around it. */
  locate(path: Path): Position | undefined
}

/** Bounds on the tree after aliases are written out, against texts that grow without limit. */
const MAX_VALUES = 50_000
const MAX_CHARACTERS = 4 * 1024 * 1024
const MAX_DEPTH = 64
const MAX_ALIASES = 1000

/** More complaints about one text help nobody. */
const MAX_FAULTS = 50

class TreeError extends Error {}

/**
 * Parses YAML 1.2 with merge keys; JSON is a part of it.
 *
 * Aliases are written out, so that changing one place leaves the others alone; a text that grows beyond the bounds is refused.
 */
export function parseTree(text: string): Result<SourceTree, readonly EnsembleIssue[]> {
  const lines = new LineCounter()
  try {
    // The library compares every key with every other; `inspect` does it with a set.
    const document = parseDocument(text, {
      lineCounter: lines,
      merge: true,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error'
    })
    const faults = [...document.errors.map(({ pos, message }) => ({ offset: pos[0], message })), ...inspect(document.contents)]
    if (faults.length > 0) return err(faults.slice(0, MAX_FAULTS).map((fault) => invalid(fault, lines)))
    const { contents } = document
    return ok({
      tree: copyTree(document.toJS({ maxAliasCount: MAX_ALIASES })),
      anchored: anchoredMembers(contents),
      locate: (path) => {
        const offset = find(contents, path, (alias) => alias.resolve(document))
        return offset === undefined ? undefined : toPosition(lines, offset)
      }
    })
  } catch (error) {
    // The library throws for aliases that cannot be resolved or multiply, and V8 for texts nested too deeply.
    return err([invalid({ message: errorMessage(error) }, lines)])
  }
}

/** What is wrong with a text as YAML. */
interface Fault {
  readonly message: string
  readonly offset?: number | undefined
}

function invalid({ message, offset }: Fault, lines: LineCounter): EnsembleIssue {
  const position = offset === undefined ? {} : toPosition(lines, offset)
  return { path: '', message: `is not valid YAML: ${message}`, ...position }
}

/** Repeated keys, and the bounds that keep what follows cheap. */
function inspect(root: ParsedNode | null): readonly Fault[] {
  const faults: Fault[] = []
  let nodes = 0
  let aliases = 0

  function visit(node: unknown, depth: number): void {
    nodes += 1
    if (nodes > MAX_VALUES) throw new TreeError(`more than ${MAX_VALUES} values`)
    if (depth > MAX_DEPTH) throw new TreeError(`nested more than ${MAX_DEPTH} levels deep`)
    if (isAlias(node)) aliases += 1
    if (aliases > MAX_ALIASES) throw new TreeError(`more than ${MAX_ALIASES} aliases`)
    if (isSeq(node)) for (const item of node.items) visit(item, depth + 1)
    if (isMap(node)) visitMap(node, depth)
  }

  function visitMap({ items }: YAMLMap, depth: number): void {
    const seen = new Set<string>()
    for (const { key, value } of items) {
      const name = nameOf(key)
      if (name === undefined) faults.push({ message: 'a key must be a plain text', offset: offsetOf(key) })
      else if (seen.has(name))
        faults.push({ message: `the key ${JSON.stringify(name.slice(0, 64))} is repeated`, offset: offsetOf(key) })
      if (name !== undefined) seen.add(name)
      visit(value, depth + 1)
    }
  }

  visit(root, 0)
  return faults
}

function toPosition(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

/** A deep copy of what the library made, which may share parts and hold any value. */
function copyTree(root: unknown): JsonValue {
  let values = 0
  let characters = 0

  function copy(value: unknown, depth: number): JsonValue {
    values += 1
    if (values > MAX_VALUES) throw new TreeError(`more than ${MAX_VALUES} values after aliases are written out`)
    if (depth > MAX_DEPTH) throw new TreeError(`nested more than ${MAX_DEPTH} levels deep`)
    if (typeof value === 'string') return count(value)
    if (value === null || value === undefined) return null
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return value
    if (Array.isArray(value)) return value.map((item: unknown) => copy(item, depth + 1))
    if (typeof value !== 'object') throw new TreeError(`a ${typeof value} is neither text, number, list nor map`)
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [count(name), copy(member, depth + 1)]))
  }

  function count(text: string): string {
    characters += text.length
    if (characters > MAX_CHARACTERS) throw new TreeError(`more than ${MAX_CHARACTERS} characters after aliases are written out`)
    return text
  }

  return copy(root, 0)
}

function anchoredMembers(contents: ParsedNode | null): ReadonlySet<string> {
  if (!isMap(contents)) return new Set()
  const names = contents.items.flatMap(({ key, value }) => (hasAnchor(value) ? [nameOf(key) ?? ''] : []))
  return new Set(names)
}

function hasAnchor(node: unknown): boolean {
  if (isMap(node)) return node.anchor !== undefined || node.items.some(({ value }) => hasAnchor(value))
  if (isSeq(node)) return node.anchor !== undefined || node.items.some((item) => hasAnchor(item))
  return isScalar(node) && node.anchor !== undefined
}

/** The name that a key becomes, a merge key `<<`; nothing for lists, maps and aliases, which can grow without limit as text. */
function nameOf(key: unknown): string | undefined {
  if (!isScalar(key)) return undefined
  const { value } = key
  if (value === null) return ''
  if (typeof value === 'symbol') return value.description
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

type ResolveAlias = (alias: Alias) => Node | undefined

/** Offset of the deepest part of the path that exists: of the key in a map, of the item in a list. */
function find(root: ParsedNode | null, path: Path, resolve: ResolveAlias): number | undefined {
  let node: unknown = root
  let offset = root?.range[0]
  for (const step of path) {
    const entry = entryOf(isAlias(node) ? resolve(node) : node, step, resolve)
    if (entry === undefined) break
    offset = entry.offset ?? offset
    node = entry.value
  }
  return offset
}

interface Entry {
  readonly value: unknown
  readonly offset: number | undefined
}

function entryOf(node: unknown, step: string, resolve: ResolveAlias): Entry | undefined {
  if (isSeq(node)) {
    const value = node.items[Number(step)]
    return value === undefined ? undefined : { value, offset: offsetOf(value) }
  }
  if (!isMap(node)) return undefined
  const pair =
    node.items.find(({ key }) => nameOf(key) === step) ??
    node.items.find(({ key }) => nameOf(key)?.toLowerCase() === step.toLowerCase())
  return pair === undefined ? mergedEntry(node, step, resolve) : { value: pair.value, offset: offsetOf(pair.key) }
}

/** A member that comes from a merge key. */
function mergedEntry(node: YAMLMap, step: string, resolve: ResolveAlias): Entry | undefined {
  const merged = node.items.find(({ key }) => nameOf(key) === '<<')?.value
  const sources = isSeq(merged) ? merged.items : [merged]
  for (const source of sources) {
    const target = isAlias(source) ? resolve(source) : source
    const entry = target === node ? undefined : entryOf(target, step, resolve)
    if (entry !== undefined) return entry
  }
  return undefined
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}
