import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where fetched packages are kept between builds. */
const CACHE = '.cache/node'

/** A package of which the build needs files, though it is not installed here. */
export interface RegistryPackage {
  readonly name: string
  readonly version: string
  /** Of the tarball, as registries state it. */
  readonly integrity: string
}

/** The path of one file of a package: fetched once, and checked each time. */
export async function packageFile(wanted: RegistryPackage, member: string): Promise<string> {
  const { name, version, integrity } = wanted
  const stem = `${name.replace(/^@/, '').replaceAll('/', '-')}-${version}`
  const tarball = join(CACHE, `${stem}.tgz`)
  await mkdir(CACHE, { recursive: true })
  if ((await integrityOf(tarball)) !== integrity) await fetchPackage(wanted, tarball)
  const found = await integrityOf(tarball)
  if (found !== integrity) {
    await rm(tarball, { force: true })
    throw new Error(`${name}@${version} is not what was expected: ${found ?? 'nothing'} instead of ${integrity}`)
  }
  const directory = join(CACHE, stem)
  await mkdir(directory, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', directory, '--strip-components=1', `package/${member}`])
  return join(directory, member)
}

async function fetchPackage({ name, version }: RegistryPackage, tarball: string): Promise<void> {
  const packed = await run('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', CACHE]).catch(
    (error: unknown) => {
      const lines = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error)
      throw new Error(
        `cannot fetch ${name}@${version}, which the single executable needs: without a network, put its tarball at ${tarball}\n${lines}`
      )
    }
  )
  const file = join(CACHE, packed.stdout.trim())
  if (file !== tarball) await rename(file, tarball)
}

async function integrityOf(path: string): Promise<string | undefined> {
  const content = await readFile(path).catch(() => undefined) // not there, or not readable: it is fetched
  return content === undefined ? undefined : `sha512-${createHash('sha512').update(content).digest('base64')}`
}
