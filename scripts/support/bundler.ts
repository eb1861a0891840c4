import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import * as esbuild from 'esbuild'
import type { ProgramBuild } from '../../src/base/index.ts'

/** One file of a bundle. */
export interface BundledFile {
  readonly name: string
  readonly text: string
}

/** What is bundled for whom. */
export interface BundleOptions {
  readonly form: ProgramBuild['form']
  /** Packages that are left outside, because they carry native code. */
  readonly external?: readonly string[]
  /** Replacements of modules that only make sense with a `node_modules` around them. */
  readonly plugins?: readonly esbuild.Plugin[]
  /** Texts in place of global names. */
  readonly define?: Readonly<Record<string, string>>
}

/** The pack that is loaded first, and its first module. */
const MAIN = 'main.cjs'

/** The oldest Node that runs what is bundled. */
const TARGET = 'node20.19'

/**
 * Bundles the program into packs of CommonJS modules for scripts/program/loader.cjs: one with the table of commands and all that
 * it needs, and one for each module that is loaded by a dynamic import.
 *
 * esbuild splits only ES modules, which Node 20 starts more slowly, so its output is translated once more, module by module. What
 * Node brings is loaded when it is first used, not when a module mentions it.
 */
export async function bundleProgram({
  form,
  external = [],
  plugins = [],
  define = {}
}: BundleOptions): Promise<readonly BundledFile[]> {
  const build: ProgramBuild = { form, ...programVersion() }
  const { outputFiles, metafile } = await esbuild.build({
    entryPoints: { main: 'src/bin.ts' },
    outdir: '.',
    write: false,
    metafile: true,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: TARGET,
    outExtension: { '.js': '.cjs' },
    chunkNames: 'chunk-[hash]',
    minifySyntax: true,
    minifyWhitespace: true,
    define: { 'import.meta.url': '__moduleUrl', NUNET_BUILD: JSON.stringify(build), ...define },
    // on Linux the kernel's own interface is used, and nowhere else does the bundle come without node_modules
    external: [...external, 'node-hid'],
    plugins: [bundledRequire, packageNames, ...plugins],
    logLevel: 'warning'
  })
  const eager = eagerModules(metafile)
  const foreign = commonJsModules(metafile)
  const modules = await Promise.all(
    outputFiles.map(async ({ path, text }) => {
      const name = basename(path)
      return { name, text: `${await toCommonJs(text)}${foreign.has(name) ? 'module.exports=module.exports.default;' : ''}` }
    })
  )
  const lazy = modules.filter(({ name }) => !eager.has(name))
  return [
    { name: MAIN, text: toPack(modules.filter(({ name }) => eager.has(name))) },
    ...lazy.map((module) => ({ name: module.name, text: toPack([module]) }))
  ]
}

/** The names of the modules that the entry imports at once, directly or not. */
function eagerModules({ outputs }: esbuild.Metafile): ReadonlySet<string> {
  const eager = new Set([MAIN])
  for (const name of eager) {
    for (const { path, kind } of outputs[name]?.imports ?? []) if (kind === 'import-statement') eager.add(basename(path))
  }
  return eager
}

/**
 * The names of the modules that were CommonJS and are imported dynamically: esbuild gives them a default export only, where Node
 * gives them their members as well.
 */
function commonJsModules({ inputs, outputs }: esbuild.Metafile): ReadonlySet<string> {
  const found = Object.entries(outputs).filter(([, { entryPoint = '' }]) => inputs[entryPoint]?.format === 'cjs')
  return new Set(found.map(([name]) => name))
}

function toPack(modules: readonly BundledFile[]): string {
  const members = modules.map(({ name, text }) => `${JSON.stringify(name)}(exports,require,module,__filename){${text}\n}`)
  return `({${members.join(',')}})`
}

/** Bundles one program that is started by itself into one text, an ES module unless `format` says otherwise. */
export async function bundleFile(entry: string, options: Pick<esbuild.BuildOptions, 'format' | 'define'> = {}): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [entry],
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: TARGET,
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'warning',
    ...options
  })
  return outputFiles[0]?.text ?? ''
}

/** Version, commit and time of this build; a tarball without git has no commit. */
export function programVersion(): Omit<ProgramBuild, 'form'> {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string }
  return { version, commit: commit(), date: new Date().toISOString() }
}

function commit(): string {
  try {
    const printed = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { stdio: ['ignore', 'pipe', 'ignore'] })
    return printed.toString().trim()
  } catch {
    return 'unknown'
  }
}

/** Modules that make a `require` for lazy, synchronous loading have a real one in the bundle. */
const bundledRequire: esbuild.Plugin = {
  name: 'bundled-require',
  setup(build) {
    build.onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8')
      const contents = source.replace(/^const require\b.*= createRequire\(import\.meta\.url\)$/m, '')
      return contents === source ? undefined : { contents, loader: 'ts' }
    })
  }
}

/** A library that reads its own `package.json` when it is loaded finds what stands there in the bundle. */
const packageNames: esbuild.Plugin = {
  name: 'package-names',
  setup(build) {
    build.onLoad({ filter: /[\\/]@achingbrain[\\/]ssdp[\\/]dist[\\/]src[\\/]ssdp\.js$/ }, ({ path }) => {
      const { name, version } = JSON.parse(readFileSync(join(dirname(path), '../../package.json'), 'utf8')) as Named
      const source = readFileSync(path, 'utf8')
      const contents = source.replace("req('../../package.json')", JSON.stringify({ name, version }))
      if (contents === source) throw new Error(`${path} reads its package.json in another way now`)
      return { contents, loader: 'js' }
    })
  }
}

interface Named {
  readonly name: string
  readonly version: string
}

const LAZY = 'const __lazy=name=>new Proxy({},{get:(_,key)=>require(name)[key]});'
const MODULE_URL = 'const __moduleUrl=require("node:url").pathToFileURL(__filename).href;'

async function toCommonJs(source: string): Promise<string> {
  const { code } = await esbuild.transform(source, {
    format: 'cjs',
    platform: 'node',
    target: TARGET,
    minifySyntax: true,
    minifyWhitespace: true,
    supported: { 'dynamic-import': false },
    logLevel: 'warning'
  })
  // Only where members are taken one by one; a namespace or a default import copies them and needs the module itself.
  const lazy = code.replace(/\b(import_\w+)=require\(("node:[\w/]+")\)/g, '$1=__lazy($2)')
  const prelude = `${lazy === code ? '' : LAZY}${lazy.includes('__moduleUrl') ? MODULE_URL : ''}`
  return `"use strict";${prelude}${lazy.replace(/^"use strict";/, '')}`
}
