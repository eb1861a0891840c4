import { execFile } from 'node:child_process'
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { bundleFile, bundleProgram } from './support/bundler.ts'
import { makeCaches } from './support/code-cache.ts'
import { nativePackages, placeAddons } from './support/natives.ts'
import { type Architecture, nodeBinary } from './support/node-binary.ts'

const run = promisify(execFile)

const BUILDS = 'builds'
const SENTINEL = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'
const ARCHITECTURES: readonly Architecture[] = ['amd64', 'arm64']
/** Programs for the foreign architecture come from Debian's packages for cross building. */
const STRIP: Readonly<Record<Architecture, string>> = { amd64: 'x86_64-linux-gnu-strip', arm64: 'aarch64-linux-gnu-strip' }

/** Builds `builds/dms_linux_<architecture>` for those that the command line names, or for all. */
async function main(wanted: readonly string[]): Promise<void> {
  const unknown = wanted.find((name) => !ARCHITECTURES.some((known) => known === name))
  if (unknown !== undefined) throw new Error(`there is no architecture ${unknown}; there are ${ARCHITECTURES.join(' and ')}`)
  const work = join(BUILDS, 'work')
  await rm(work, { recursive: true, force: true })
  const packs = await writePacks(work)
  const host = await nodeBinary(hostArchitecture())
  for (const architecture of ARCHITECTURES.filter((name) => wanted.length === 0 || wanted.includes(name))) {
    await buildExecutable(architecture, { work, packs, host })
  }
  await rm(work, { recursive: true, force: true })
}

interface Parts {
  readonly work: string
  readonly packs: readonly string[]
  /** The Node that makes blobs; it must be of the version that is built into the executable. */
  readonly host: string
}

/** Puts the packs of the program into a directory, with a start for running them there; resolves with their names. */
async function writePacks(work: string): Promise<readonly string[]> {
  const packs = await bundleProgram({
    form: 'executable',
    plugins: [nativePackages],
    define: { 'globalThis.NUNET_PLUGIN_HOST': JSON.stringify(await bundleFile('src/plugins/host.mjs')) }
  })
  const sandbox = await bundleFile('src/executor/wasm/sandbox.mjs')
  const runner = await bundleFile('src/executor/wasm/runner.mjs', {
    format: 'cjs',
    define: { 'globalThis.NUNET_SANDBOX': JSON.stringify(sandbox), 'import.meta.url': '""' }
  })
  const monitor = await bundleFile('src/executor/microvm/vm-monitor.mjs', { format: 'cjs' })
  await mkdir(work, { recursive: true })
  const started = Object.entries({ 'runner.cjs': runner, 'vm-monitor.cjs': monitor })
  const all = [
    ...packs,
    ...started.map(([name, text]) => ({ name, text: `({"${name}"(exports,require,module,__filename){${text}\n}})` }))
  ]
  for (const { name, text } of all) await writeFile(join(work, name), text)
  for (const [name, start] of [
    ['nunet.cjs', 'beside.cjs'],
    ['start.cjs', 'executable.cjs']
  ] as const) {
    await writeFile(join(work, name), await bundleFile(join('scripts/program', start), { format: 'cjs' }))
  }
  return all.map(({ name }) => name)
}

async function buildExecutable(architecture: Architecture, { work, packs, host }: Parts): Promise<void> {
  const addons = await placeAddons(architecture, join(work, 'native'))
  const caches = architecture === hostArchitecture() ? await recordCaches(work, packs, host) : []
  const config = {
    main: join(work, 'start.cjs'),
    output: join(work, `${architecture}.blob`),
    disableExperimentalSEAWarning: true,
    useCodeCache: false,
    assets: Object.fromEntries(
      [...packs, ...addons.map((name) => `native/${name}`), ...caches].map((name) => [name, join(work, name)])
    )
  }
  const configPath = join(work, `${architecture}.json`)
  await writeFile(configPath, JSON.stringify(config))
  await run(host, ['--experimental-sea-config', configPath])
  const executable = join(work, `dms_linux_${architecture}`)
  await copyFile(await nodeBinary(architecture), executable)
  await strip(executable, architecture)
  await run('postject', [executable, 'NODE_SEA_BLOB', config.output, '--sentinel-fuse', SENTINEL])
  const finished = join(BUILDS, `dms_linux_${architecture}`)
  await rename(executable, finished)
  console.log(`built ${finished}`)
}

/** V8 reads its caches only on the architecture that made them. */
async function recordCaches(work: string, packs: readonly string[], host: string): Promise<readonly string[]> {
  const directory = join(work, 'cache')
  await makeCaches(resolve(host), join(work, 'nunet.cjs'), directory)
  const made = await Promise.all(
    packs.map(async (name) => {
      const found = await readFile(join(directory, name)).catch(() => undefined) // of a pack that was not loaded
      return found === undefined ? [] : [`cache/${name}`]
    })
  )
  return made.flat()
}

/** Before the blob is put in: afterwards the file would be damaged. Debug symbols are a sixth of it, and nothing needs them. */
async function strip(executable: string, architecture: Architecture): Promise<void> {
  try {
    await run(STRIP[architecture], [executable])
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    console.warn(`${STRIP[architecture]} is not installed: dms_linux_${architecture} keeps the symbols of Node and is larger`)
  }
}

function hostArchitecture(): Architecture {
  return process.arch === 'arm64' ? 'arm64' : 'amd64'
}

await main(process.argv.slice(2))
