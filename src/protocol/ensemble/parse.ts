import { encodeGoJson, err, isJsonObject, type JsonValue, ok, type Result, utf8 } from '../../base/index.ts'
import { createEnsembleFiles, type EnsembleFiles, type ReadFile } from './files.ts'
import { type EnsembleConfig, type EnsembleIssue, MAX_ENSEMBLE_TEXT, MAX_ENSEMBLE_WIRE } from './model.ts'
import { resolvePlaceholders } from './placeholders.ts'
import { createReading, type Finding, type Reading } from './reading.ts'
import { templateSchemas } from './rules/ensemble.ts'
import { findNotActedOn, findUnsupported } from './supported.ts'
import { parseTree, type SourceTree } from './tree.ts'
import { encodeEnsemble, readEnsemble } from './wire.ts'

/** What the text of an ensemble cannot say. */
export interface ParseEnsembleOptions {
  /** Gives files that the ensemble names; without it, naming one is an error. */
  readonly readFile?: ReadFile
  /** Lets placeholders and modules name files outside the directory: only for texts that the user has read. */
  readonly allowOutside?: boolean
  /** Variables for `${env:NAME}`. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Names of executors that are accepted besides the known ones; their parameters are taken as they are. */
  readonly executors?: readonly string[]
}

/** An ensemble, or everything that is wrong with its text. `reads`: files whose content went into it, to be shown. */
export type EnsembleResult = { readonly warnings: readonly EnsembleIssue[]; readonly reads: readonly string[] } & (
  | {
      readonly ok: true
      readonly ensemble: EnsembleConfig
      /** What it asks for that this version cannot do: deploying it here would be refused. */
      readonly unsupported: readonly EnsembleIssue[]
    }
  | { readonly ok: false; readonly errors: readonly EnsembleIssue[] }
)

const VERSIONS: ReadonlySet<string> = new Set(['v1', 'ensemblev1'])

/**
 * Reads an ensemble file, YAML or JSON, with all its conveniences (C §7): placeholders, templates, units, older spellings.
 *
 * Pure: the same text, files and environment give the same result. Never throws for any text. Reports every error, each with its
 * line and what would be right. The ensemble fits into a message: at most {@link MAX_ENSEMBLE_WIRE} bytes of JSON.
 */
export function parseEnsemble(text: string, options: ParseEnsembleOptions = {}): EnsembleResult {
  const files = createEnsembleFiles(options.readFile, options.allowOutside ?? false)
  const source = sourceOf(text)
  if (!source.ok) return { ok: false, errors: source.error, warnings: [], reads: [] }
  const { reading, tree } = beginReading(source.value, files, options)
  checkVersion(tree, reading)
  checkTemplates(tree, reading)
  const config = readEnsemble(tree, reading)
  if (config !== undefined) checkLength(config, reading)
  const { reads } = files
  const place = (finding: Finding): EnsembleIssue => placed(finding, source.value)
  if (config === undefined || reading.errors.length > 0) {
    return { ok: false, errors: inOrder(reading.errors.map(place)), warnings: inOrder(reading.warnings.map(place)), reads }
  }
  return {
    ok: true,
    ensemble: config,
    warnings: inOrder([...reading.warnings, ...findNotActedOn(config)].map(place)),
    unsupported: inOrder(findUnsupported(config, options).map(place)),
    reads
  }
}

function sourceOf(text: string): Result<SourceTree, readonly EnsembleIssue[]> {
  if (text.length > MAX_ENSEMBLE_TEXT || utf8(text).length > MAX_ENSEMBLE_TEXT) {
    return err([{ path: '', message: `must have at most ${MAX_ENSEMBLE_TEXT} bytes` }])
  }
  const source = parseTree(text)
  if (!source.ok) return source
  const { tree } = source.value
  return isJsonObject(tree) ? ok(source.value) : err([{ path: '', message: 'must be a map with version, allocations and nodes' }])
}

/** Resolves placeholders and opens a reading that is silent about values whose placeholder was already reported. */
function beginReading(
  source: SourceTree,
  files: EnsembleFiles,
  { environment = {}, executors = [] }: ParseEnsembleOptions
): { readonly reading: Reading; readonly tree: JsonValue } {
  const unresolved: Finding[] = []
  const tree = resolvePlaceholders(source.tree, {
    environment,
    readText: (path) => files.readText(path),
    report: (path, message) => unresolved.push({ path, message })
  })
  const reading = createReading({
    dialect: 'file',
    root: tree,
    executors,
    readBinary: (path) => files.read(path),
    anchored: source.anchored,
    muted: new Set(unresolved.map(({ path }) => path.join('.'))),
    told: unresolved
  })
  return { reading, tree }
}

function checkVersion(tree: JsonValue, reading: Reading): void {
  const [name, version] = memberOf(tree, 'version') ?? ['version', null]
  if (version === null) reading.error([name], 'is missing: write version: V1')
  else if (typeof version !== 'string' || !VERSIONS.has(version.toLowerCase()))
    reading.error([name], 'is unknown: write version: V1')
}

function checkTemplates(tree: JsonValue, reading: Reading): void {
  for (const [kind, schema] of Object.entries(templateSchemas)) {
    const [name, section] = memberOf(tree, kind) ?? [kind, null]
    if (section !== null) schema.read(section, { reading, path: [name] })
  }
}

function memberOf(tree: JsonValue, wanted: string): readonly [string, JsonValue] | undefined {
  return isJsonObject(tree) ? Object.entries(tree).find(([name]) => name.toLowerCase() === wanted) : undefined
}

function checkLength(config: EnsembleConfig, reading: Reading): void {
  const { length } = utf8(encodeGoJson(encodeEnsemble(config)))
  if (length > MAX_ENSEMBLE_WIRE) {
    reading.error([], `has ${length} bytes with its modules and scripts, at most ${MAX_ENSEMBLE_WIRE} fit into a message`)
  }
}

function placed({ path, message }: Finding, source: SourceTree): EnsembleIssue {
  return { path: path.join('.'), message, ...source.locate(path) }
}

function inOrder(issues: readonly EnsembleIssue[]): readonly EnsembleIssue[] {
  return issues.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
}
