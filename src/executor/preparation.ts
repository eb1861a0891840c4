import { mebibytes } from '../base/index.ts'
import { ExecutorBadSpecError } from './errors.ts'
import type { Workload, WorkloadFile, WorkloadScript } from './executor.ts'

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
export interface ContainerCommand {
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
}

/** The program behind the scripts: another entrypoint than the image's leaves the arguments of the image behind. */
export function scriptedCommand(
  spec: { readonly [Part in keyof ContainerCommand]: ContainerCommand[Part] | undefined },
  image: ContainerCommand
): ContainerCommand {
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

/** All that is put inside before anything runs; files of the description first. */
export function filesInside({ files = [], scripts = [] }: Workload): readonly WorkloadFile[] {
  return [...files, ...scriptFiles(scripts)]
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
