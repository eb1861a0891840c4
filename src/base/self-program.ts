import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** What the build wrote into the program that it made. */
export interface ProgramBuild {
  /** `bundle`: files beside each other that Node runs; `executable`: one file that contains Node. */
  readonly form: 'bundle' | 'executable'
  readonly version: string
  /** The commit it was built from, or `unknown`. */
  readonly commit: string
  /** When it was built, RFC 3339. */
  readonly date: string
}

/** Put in place by scripts/support/bundler.ts; there is no such name in compiled modules and in source. */
declare const NUNET_BUILD: ProgramBuild | undefined

/** What the bundler wrote; `undefined` when this runs from compiled modules or from source. */
export function programBuild(): ProgramBuild | undefined {
  return typeof NUNET_BUILD === 'undefined' ? undefined : NUNET_BUILD
}

/** How a program is started: a file to execute and what comes before its own arguments. */
export interface SelfProgram {
  readonly command: string
  readonly args: readonly string[]
}

/**
 * How to start this very program again, in whatever form it runs: `spawn(command, [...args, 'key', 'list'])`.
 *
 * `process.execPath` alone is wrong: it is Node in one form and the program itself in another.
 */
export function selfProgram(): SelfProgram {
  const command = process.execPath
  const form = programBuild()?.form
  if (form === 'executable') return { command, args: [] }
  if (form === 'bundle') return { command, args: [beside('./nunet.cjs')] }
  return import.meta.url.endsWith('.ts')
    ? { command, args: ['--import', typeScriptLoader(), beside('../bin.ts')] }
    : { command, args: [beside('../bin.js')] }
}

function beside(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}

/** Node 20 cannot run TypeScript by itself; only developers come here. */
function typeScriptLoader(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
}
