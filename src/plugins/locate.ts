import type { Stats } from 'node:fs'
import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, sep } from 'node:path'
import { errorMessage, hasErrno, type JsonValue, parseJson } from '../base/index.ts'
import { PluginRefusedError } from './errors.ts'
import { type PluginManifest, parseManifest } from './manifest.ts'

/** A plugin that may be loaded. */
export interface LocatedPlugin {
  readonly manifest: PluginManifest
  /** Absolute, without links: the module that exports `plugin`. */
  readonly entry: string
}

/** Where plugins are looked for. */
export interface PluginPlaces {
  /** Where packages that are named by their npm name were installed: `npm install --prefix <directory> <name>`. */
  readonly directory: string
  /** User that the daemon runs as. */
  readonly uid: number
}

/** A package with more files than this is no plugin but an accident. */
const MAX_ENTRIES = 20_000
const MAX_PACKAGE_JSON = 1_048_576
const OTHERS_WRITE = 0o022
const STICKY = 0o1000

/**
 * Finds a plugin by npm name or absolute path and checks that nobody but its owner can change it; runs none of its code.
 *
 * @throws PluginRefusedError with what is wrong and what would be right.
 */
export async function locatePlugin(
  name: string,
  { directory, uid }: PluginPlaces,
  taken: ReadonlyMap<string, string>
): Promise<LocatedPlugin> {
  const root = await rootOf(name, directory)
  await checkAncestors(root, uid)
  await checkTree(root, uid)
  const manifest = parseManifest(await packageJson(root), taken)
  const entry = await realpath(join(root, manifest.main)).catch(() => undefined)
  if (entry === undefined) throw new PluginRefusedError(`its module ${join(root, manifest.main)} is missing`)
  if (!entry.startsWith(root + sep)) throw new PluginRefusedError(`its module ${entry} is outside of ${root}`)
  return { manifest, entry }
}

async function rootOf(name: string, directory: string): Promise<string> {
  const path = isAbsolute(name) ? name : join(directory, 'node_modules', name)
  try {
    const root = await realpath(path)
    if ((await stat(root)).isDirectory()) return root
    throw new PluginRefusedError(`${path} is no directory: name the directory of the package`)
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'ENOTDIR')) throw error
    const advice = isAbsolute(name) ? '' : `: install it with npm install --prefix ${directory} ${name}`
    throw new PluginRefusedError(`there is no ${path}${advice}`, { cause: error })
  }
}

/** Whoever may rename a directory above can put another plugin in place. */
async function checkAncestors(root: string, uid: number): Promise<void> {
  for (let path = dirname(root); ; path = dirname(path)) {
    const status = await lstat(path)
    const isShared = (status.mode & OTHERS_WRITE) !== 0 && (status.mode & STICKY) === 0
    if (isShared || !isTrusted(status, uid)) refuse(path, status)
    if (path === dirname(path)) return
  }
}

async function checkTree(root: string, uid: number): Promise<void> {
  const rest = [root]
  for (let seen = 0; rest.length > 0; seen += 1) {
    if (seen > MAX_ENTRIES) throw new PluginRefusedError(`it has more than ${MAX_ENTRIES} files`)
    const path = rest.pop() ?? root
    const status = await lstat(path)
    if (!isTrusted(status, uid)) refuse(path, status)
    if (status.isSymbolicLink()) continue // the mode of a link says nothing; where it leads is checked for the module itself
    if ((status.mode & OTHERS_WRITE) !== 0) refuse(path, status)
    if (status.isDirectory()) rest.push(...(await readdir(path)).map((entry) => join(path, entry)))
  }
}

function isTrusted(status: Stats, uid: number): boolean {
  return status.uid === uid || status.uid === 0
}

function refuse(path: string, { mode, uid }: Stats): never {
  const bits = (mode & 0o7777).toString(8).padStart(4, '0')
  throw new PluginRefusedError(
    `others than its owner can change it: ${path} has mode ${bits} and belongs to user ${uid}; chmod go-w, chown to the user of the daemon`
  )
}

async function packageJson(root: string): Promise<JsonValue> {
  const path = join(root, 'package.json')
  try {
    if ((await stat(path)).size > MAX_PACKAGE_JSON) throw new PluginRefusedError('its package.json is larger than 1 MiB')
    const parsed = parseJson(await readFile(path, 'utf8'))
    if (parsed.ok) return parsed.value
    throw new PluginRefusedError(`its package.json is no JSON: ${parsed.error.message}`)
  } catch (error) {
    if (error instanceof PluginRefusedError) throw error
    throw new PluginRefusedError(`its package.json cannot be read: ${errorMessage(error)}`, { cause: error })
  }
}
