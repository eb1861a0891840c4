import { execFile } from 'node:child_process'
import { access, readFile, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Requirement } from '../../src/testing/requirements.ts'

const run = promisify(execFile)
const ROOT = new URL('../../', import.meta.url)

/** Of this checkout. */
export const VERSION = (JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8')) as { readonly version: string }).version

/** The architecture of this machine, as Debian calls it. */
export const HOST_ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'amd64'

/** The Debian package that `make deb` leaves. */
export function debPath(architecture: string): string {
  return fileURLToPath(new URL(`builds/nunet-dms_${VERSION}_${architecture}.deb`, ROOT))
}

/** The executable that `make` leaves. */
export function executablePath(architecture: string): string {
  return fileURLToPath(new URL(`builds/dms_linux_${architecture}`, ROOT))
}

/** Whether a built file is there and not older than the compiled modules. */
export async function isFresh(path: string, command: string): Promise<Requirement> {
  const built = await stat(path).catch(() => undefined)
  if (built === undefined) return { available: false, reason: `${path} is not built; run ${command}` }
  const compiled = await stat(new URL('dist/.built', ROOT)).catch(() => undefined)
  const isOld = compiled !== undefined && compiled.mtimeMs > built.mtimeMs
  return isOld ? { available: false, reason: `${path} is older than dist; run ${command}` } : { available: true }
}

/** Whether the programs are installed. */
export async function hasPrograms(...names: readonly string[]): Promise<Requirement> {
  for (const name of names) {
    const found = await run('sh', ['-c', 'command -v "$1"', 'sh', name]).catch(() => undefined)
    if (found === undefined) return { available: false, reason: `${name} is not installed` }
  }
  return { available: true }
}

/** All of several requirements. */
export async function all(...found: readonly Promise<Requirement>[]): Promise<Requirement> {
  return (await Promise.all(found)).find(({ available }) => !available) ?? { available: true }
}

/** Whether tests run as root. */
export async function isRoot(): Promise<Requirement> {
  return process.getuid?.() === 0 ? { available: true } : { available: false, reason: 'only root can enter a root directory' }
}

/** Where user-mode emulation finds the libraries of the foreign architecture: Debian's for cross building. */
export const ARM64_LIBRARIES = '/usr/aarch64-linux-gnu'

/** Whether a file is there. */
export async function hasFile(path: string): Promise<Requirement> {
  return access(path).then(
    () => ({ available: true }) as const,
    () => ({ available: false, reason: `there is no ${path}` }) as const
  )
}
