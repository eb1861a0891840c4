import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nodeLicence } from './node-binary.ts'

interface LockedPackage {
  readonly version?: string
  readonly license?: string
  readonly dev?: boolean
}

/** The licences of Node and of every package that the program is made of, in one text. */
export async function thirdPartyLicences(): Promise<string> {
  const lock = JSON.parse(await readFile('package-lock.json', 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>
  }
  const used = Object.entries(lock.packages).filter(([path, { dev }]) => path.startsWith('node_modules/') && dev !== true)
  const texts = await Promise.all(used.map(([path, found]) => describe(path, found)))
  return [`Node.js\n\n${await nodeLicence()}`, ...texts].join(`\n${'-'.repeat(80)}\n\n`)
}

async function describe(path: string, { version = '', license = 'unknown' }: LockedPackage): Promise<string> {
  const names = await readdir(path).catch(() => []) // an optional package of another platform
  const file = names.find((name) => /^licen[cs]e/i.test(name))
  const text = file === undefined ? '' : `\n${await readFile(join(path, file), 'utf8')}`
  return `${path.replace(/^.*node_modules\//, '')} ${version}: ${license}\n${text}`
}
