import { execFile } from 'node:child_process'
import { access, constants, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AbortOptions, CancelledError } from '../base/index.ts'
import { StorageFailedError } from './errors.ts'

/** A mount or a new file system that takes longer is stuck. */
const TOOL_LIMIT_MS = 120_000
const SEARCH_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Runs a program of the system with an argument list, a clean environment and a time limit.
 *
 * @throws StorageFailedError with the last line that it wrote to its standard error.
 */
export async function runTool(program: string, args: readonly string[], { signal }: AbortOptions = {}): Promise<string> {
  if (signal?.aborted === true) throw new CancelledError(`${program} was cancelled`)
  return await new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      {
        env: { PATH: SEARCH_PATH, LC_ALL: 'C' },
        timeout: TOOL_LIMIT_MS,
        killSignal: 'SIGKILL',
        ...(signal === undefined ? {} : { signal })
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout)
        if (signal?.aborted === true) return reject(new CancelledError(`${program} was cancelled`, { cause: error }))
        const said = stderr.trim().split('\n').at(-1) ?? ''
        reject(new StorageFailedError(`${program} failed: ${said === '' ? error.message : said}`.slice(0, 512), { cause: error }))
      }
    )
  })
}

/** Where a program of the system is, or `undefined`. */
export async function findTool(program: string): Promise<string | undefined> {
  for (const directory of SEARCH_PATH.split(':')) {
    const path = join(directory, program)
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false
    )
    if (isThere) return path
  }
  return undefined
}

/** Whether something is mounted exactly at `path`, which is free of links. */
export async function isMounted(path: string): Promise<boolean> {
  return (await mountsAtOrBelow(path)).includes(path)
}

/** Where something is mounted at `path`, which is free of links, and below. */
export async function mountsAtOrBelow(path: string): Promise<readonly string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8')
  const places = table.split('\n').map((line) => unescapeMount(line.split(' ')[4] ?? ''))
  return places.filter((place) => place === path || place.startsWith(`${path}/`))
}

/** Ends every mount at `path`; one that is still used somewhere goes as soon as it is not. */
export async function unmount(path: string): Promise<void> {
  while (await isMounted(path)) {
    await runTool('umount', ['--no-canonicalize', path]).catch(async (error: unknown) => {
      if (await isMounted(path)) await runTool('umount', ['--no-canonicalize', '--lazy', path])
      else if (!(error instanceof StorageFailedError)) throw error
    })
  }
}

/** The kernel writes blanks, tabs, newlines and backslashes as three octal digits. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
