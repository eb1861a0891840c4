import { pack } from 'tar-stream'
import { isJsonObject, type JsonValue, mebibytes } from '../../base/index.ts'
import { ExecutorBadSpecError } from '../errors.ts'
import type { Workload, WorkloadFile, WorkloadScript } from '../executor.ts'

/** Where scripts lie inside; root's, so that the program cannot change them unless it is root itself. */
const SCRIPTS = '/.nunet/scripts'
const RUNNER = '/.nunet/run'

/** Runs every script in the order of its name, which begins with a number, and then becomes the program. */
const RUNNER_TEXT = `#!/bin/sh
for script in ${SCRIPTS}/*; do
  "$script" || exit $?
done
exec "$@"
`

/** More than this in files and scripts is refused. */
const MOST = mebibytes(16)
const MOST_ENTRIES = 1000
const SCRIPT_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/
const MOST_PATH = 4096
const EXECUTABLE = 0o755

/** What a container runs: of the description where it says something, else of the image, as Docker itself decides. */
export interface DockerCommand {
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
}

/** The command of an image, from its inspection. */
export function commandOfImage(inspection: unknown): DockerCommand {
  const config = isJsonObject(inspection) ? inspection['Config'] : undefined
  const { Entrypoint: entrypoint, Cmd: cmd } = isJsonObject(config) ? config : {}
  return { entrypoint: textsOf(entrypoint), cmd: textsOf(cmd) }
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]).filter((item) => typeof item === 'string') : []
}

/** The program behind the scripts: another entrypoint than the image's leaves the arguments of the image behind. */
export function scriptedCommand(
  spec: { readonly [Part in keyof DockerCommand]: DockerCommand[Part] | undefined },
  image: DockerCommand
): DockerCommand {
  const entrypoint = spec.entrypoint ?? image.entrypoint
  const cmd = spec.cmd ?? (spec.entrypoint === undefined ? image.cmd : [])
  return { entrypoint: ['/bin/sh', RUNNER], cmd: [...entrypoint, ...cmd] }
}

/** @throws ExecutorBadSpecError for a path, a name or a size that is not acceptable. */
export function checkPreparation({ files = [], scripts = [] }: Workload): void {
  if (files.length + scripts.length > MOST_ENTRIES) throw new ExecutorBadSpecError('files', `are more than ${MOST_ENTRIES}`)
  const size = [...files, ...scripts].reduce((sum, { content }) => sum + content.length, 0)
  if (size > MOST) throw new ExecutorBadSpecError('files', `have ${size} bytes, at most ${MOST} are allowed`)
  for (const [index, { path, mode }] of files.entries()) {
    if (!isNormal(path)) throw new ExecutorBadSpecError(`files.${index}.path`, 'must be absolute, without ".", ".." and "//"')
    if (!(mode >= 0 && mode <= 0o777)) throw new ExecutorBadSpecError(`files.${index}.mode`, 'must be permission bits up to 0777')
  }
  for (const [index, { name }] of scripts.entries()) {
    if (!SCRIPT_NAME.test(name)) throw new ExecutorBadSpecError(`scripts.${index}.name`, `must match ${SCRIPT_NAME.source}`)
  }
}

/** Whether a path is absolute and means the same read in any way; `/` itself is none. */
export function isNormal(path: string): boolean {
  if (!path.startsWith('/') || path.length > MOST_PATH || path.includes('\0')) return false
  return path
    .slice(1)
    .split('/')
    .every((part) => part !== '' && part !== '.' && part !== '..')
}

/** Files and scripts as an archive for the root of the container; `undefined` when there is nothing to put. */
export async function archiveOf({ files = [], scripts = [] }: Workload): Promise<Uint8Array | undefined> {
  if (files.length + scripts.length === 0) return undefined
  const archive = pack()
  for (const file of [...files, ...scriptFiles(scripts)]) {
    archive.entry({ name: file.path.slice(1), mode: file.mode, uid: 0, gid: 0 }, Buffer.from(file.content))
  }
  archive.finalize()
  const parts: Uint8Array[] = []
  for await (const part of archive as AsyncIterable<Uint8Array>) parts.push(part)
  return Buffer.concat(parts)
}

function scriptFiles(scripts: readonly WorkloadScript[]): readonly WorkloadFile[] {
  if (scripts.length === 0) return []
  const numbered = scripts.map(({ name, content }, index) => ({
    path: `${SCRIPTS}/${String(index).padStart(4, '0')}-${name}`,
    content: withInterpreter(content),
    mode: EXECUTABLE
  }))
  return [{ path: RUNNER, content: Buffer.from(RUNNER_TEXT), mode: EXECUTABLE }, ...numbered]
}

/** A script without a first line that names its interpreter is one for `/bin/sh`. */
function withInterpreter(content: Uint8Array): Uint8Array {
  const isNamed = content[0] === 0x23 && content[1] === 0x21 // #!
  return isNamed ? content : Buffer.concat([Buffer.from('#!/bin/sh\n'), content])
}
