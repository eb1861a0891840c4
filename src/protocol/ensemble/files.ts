import { err, errorMessage, ok, type Result, utf8 } from '../../base/index.ts'

/** Gives the content of a file next to the ensemble; throws or returns nothing when there is none. */
export type ReadFile = (path: string) => string | Uint8Array | undefined

/** The files that an ensemble names, each read once. */
export interface EnsembleFiles {
  /** Every path that was asked for and given, in order. */
  readonly reads: readonly string[]
  read(path: string): Result<Uint8Array, string>
  readText(path: string): Result<string, string>
}

/** Largest file that an ensemble may name, in bytes. */
const MAX_FILE = 1024 * 1024

/** Most different files. */
const MAX_FILES = 256

/**
 * Confines what an ensemble reads (C §15.4, 13): a shared file must not carry the reader's keys off.
 *
 * Absolute paths and `..` are refused unless `allowOutside`; whoever gives `readFile` answers for links. Reasons for a refusal
 * complete the sentence `<path> …`.
 */
export function createEnsembleFiles(readFile: ReadFile | undefined, allowOutside: boolean): EnsembleFiles {
  const known = new Map<string, Result<Uint8Array, string>>()
  const reads: string[] = []

  function readOnce(path: string): Result<Uint8Array, string> {
    const complaint = allowOutside ? undefined : outsideComplaint(path)
    if (complaint !== undefined) return err(complaint)
    if (readFile === undefined) return err('cannot be read here: this reader has no access to files')
    if (known.size >= MAX_FILES) return err(`is one too many: an ensemble may name at most ${MAX_FILES} files`)
    const content = contentOf(path, readFile)
    if (content.ok) reads.push(path)
    return content
  }

  function read(path: string): Result<Uint8Array, string> {
    const content = known.get(path) ?? readOnce(path)
    known.set(path, content)
    return content
  }

  return {
    reads,
    read,
    readText(path) {
      const content = read(path)
      return content.ok ? textOf(content.value) : content
    }
  }
}

function outsideComplaint(path: string): string | undefined {
  if (path === '' || path.includes('\0')) return 'is not a path'
  if (/^(?:[/\\~]|[a-zA-Z]:)/.test(path)) return 'is outside the directory of the ensemble: only relative paths are read'
  if (path.split(/[/\\]/).includes('..')) return 'is outside the directory of the ensemble: paths with .. are not read'
  return undefined
}

function contentOf(path: string, readFile: ReadFile): Result<Uint8Array, string> {
  try {
    const content = readFile(path)
    if (content === undefined) return err('does not exist')
    const data = typeof content === 'string' ? utf8(content) : content
    return data.length <= MAX_FILE ? ok(data) : err(`has ${data.length} bytes, at most ${MAX_FILE} are read`)
  } catch (error) {
    return err(`cannot be read: ${errorMessage(error)}`)
  }
}

function textOf(content: Uint8Array): Result<string, string> {
  try {
    return ok(new TextDecoder('utf-8', { fatal: true }).decode(content))
  } catch {
    // The only reason to throw is that the bytes are not UTF-8.
    return err('is not UTF-8 text')
  }
}
