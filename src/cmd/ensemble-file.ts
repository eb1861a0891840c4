import { type EnsembleConfig, type EnsembleIssue, parseEnsemble } from '../protocol/index.ts'
import { BadFileError } from './errors.ts'
import { openSource } from './files.ts'
import type { Io } from './io.ts'
import { note } from './output.ts'

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
export async function readEnsembleFile(path: string, io: Io): Promise<EnsembleFile> {
  const { text, readFile } = openSource(path, io.cwd)
  const result = parseEnsemble(text, { readFile, environment: io.environment })
  for (const issue of result.warnings) await note(io, `Warning: ${describe(path, issue)}`)
  for (const read of result.reads) await note(io, `Read ${read} into the ensemble`)
  if (result.ok) return { ensemble: result.ensemble, unsupported: result.unsupported.map((issue) => describe(path, issue)) }
  for (const issue of result.errors) await note(io, describe(path, issue))
  throw new BadFileError(`${path} is not valid: ${result.errors.length} error${result.errors.length === 1 ? '' : 's'}`)
}

function describe(file: string, { line, column, path, message }: EnsembleIssue): string {
  const at = line === undefined ? '' : `:${line}${column === undefined ? '' : `:${column}`}`
  return `${file}${at}: ${path === '' ? '' : `${path}: `}${message}`
}
