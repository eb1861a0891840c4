import { type EnsembleConfig, type EnsembleIssue, parseEnsemble } from '../protocol/index.ts'
import type { Flags } from './command.ts'
import { BadFileError } from './errors.ts'
import { openSource } from './files.ts'
import type { Io } from './io.ts'
import { note } from './output.ts'
import { loadSettings } from './settings.ts'

/** A valid ensemble, and what of it this version cannot do, one line each. */
export interface EnsembleFile {
  readonly ensemble: EnsembleConfig
  readonly unsupported: readonly string[]
}

/**
 * Reads and checks an ensemble file. Warnings and the files that went into it are told on stderr, and so is everything that
 * is wrong: one line each, `path:line:column: member: message`.
 *
 * @throws BadFileError when anything is wrong, NoFileError when the file is missing.
 */
export async function readEnsembleFile(path: string, flags: Flags, io: Io): Promise<EnsembleFile> {
  const { text, readFile } = openSource(path, io.cwd)
  const executors = await pluginExecutors(flags, io)
  const result = parseEnsemble(text, { readFile, environment: io.environment, executors })
  for (const issue of result.warnings) await note(io, `Warning: ${describe(path, issue)}`)
  for (const read of result.reads) await note(io, `Read ${read} into the ensemble`)
  if (result.ok) return { ensemble: result.ensemble, unsupported: result.unsupported.map((issue) => describe(path, issue)) }
  for (const issue of result.errors) await note(io, describe(path, issue))
  throw new BadFileError(`${path} is not valid: ${result.errors.length} error${result.errors.length === 1 ? '' : 's'}`)
}

/** Names of executors that plugins add, here or, as the configuration says, on other nodes. */
async function pluginExecutors(flags: Flags, io: Io): Promise<readonly string[]> {
  const { config } = await loadSettings(flags, io)
  const elsewhere = config.plugins.remote_executors
  if (config.plugins.packages.length === 0) return elsewhere
  const { BUILT_IN_EXECUTORS, describePlugins, pluginPackages } = await import('../plugins/index.ts')
  const packages = pluginPackages(config.general.user_dir)
  const described = await describePlugins({ names: config.plugins.packages, packages, builtIn: BUILT_IN_EXECUTORS })
  return [...elsewhere, ...described.flatMap((plugin) => ('executors' in plugin ? plugin.executors : []))]
}

function describe(file: string, { line, column, path, message }: EnsembleIssue): string {
  const at = line === undefined ? '' : `:${line}${column === undefined ? '' : `:${column}`}`
  return `${file}${at}: ${path === '' ? '' : `${path}: `}${message}`
}
