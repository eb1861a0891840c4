import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type * as esbuild from 'esbuild'
import type { Architecture } from './node-binary.ts'
import { packageFile } from './registry-package.ts'

/** An addon that comes ready for each platform. */
interface Addon {
  /** Its file beside the program. */
  readonly file: string
  /** The package that carries it for a platform; undefined where it is not made. */
  readonly source: (platform: string) => { readonly name: string; readonly member: string } | undefined
}

/** Debian has glibc. */
const ADDONS = {
  sqlite: {
    file: 'sqlite.node',
    source: (platform) => ({
      name: '@photostructure/sqlite',
      member: `prebuilds/${platform}/@photostructure+sqlite.glibc.node`
    })
  },
  quic: {
    file: 'quic.node',
    source: (platform) =>
      platform === 'linux-x64'
        ? { name: `@chainsafe/libp2p-quic-${platform}-gnu`, member: `libp2p-quic.${platform}-gnu.node` }
        : undefined
  },
  koffi: {
    file: 'koffi.node',
    source: (platform) => ({ name: `@koromix/koffi-${platform}`, member: `${platform.replace('-', '_')}/koffi.node` })
  }
} as const satisfies Readonly<Record<string, Addon>>

const PLATFORMS: Readonly<Record<Architecture, string>> = { amd64: 'linux-x64', arm64: 'linux-arm64' }

/** Replaces the searches of packages for their addon, which need a `node_modules`, by scripts/program/native.cjs. */
export const nativePackages: esbuild.Plugin = {
  name: 'native-packages',
  setup(build) {
    const loader = JSON.stringify(resolve('scripts/program/native.cjs'))
    const load = ({ file }: Addon): string => `require(${loader}).loadAddon(${JSON.stringify(file)})`
    const replace = (filter: RegExp, importer: RegExp, contents: string): void => {
      build.onResolve({ filter }, ({ path, importer: from }) =>
        importer.test(from) ? { path, namespace: 'addon', pluginData: contents } : undefined
      )
    }
    replace(/^node-gyp-build$/, /@photostructure[\\/]sqlite[\\/]/, `module.exports = () => ${load(ADDONS.sqlite)}`)
    replace(/^koffi$/, /./, `module.exports = ${load(ADDONS.koffi)}`)
    build.onLoad({ filter: /.*/, namespace: 'addon' }, ({ pluginData }) => ({
      contents: String(pluginData),
      loader: 'js',
      resolveDir: resolve('.')
    }))
    build.onLoad({ filter: /[\\/]@chainsafe[\\/]libp2p-quic[\\/]dist[\\/]src[\\/]napi\.js$/ }, ({ path }) => ({
      contents: namedExports(path, load(ADDONS.quic)),
      loader: 'js',
      resolveDir: resolve('.')
    }))
  }
}

/** A module that exports what another one does, out of a value that has all of it. */
function namedExports(path: string, value: string): string {
  const names = [...readFileSync(path, 'utf8').matchAll(/^export \{ (\w+) \};$/gm)].map(([, name]) => name)
  if (names.length === 0) throw new Error(`${path} exports its parts in another way now`)
  return `export const { ${names.join(', ')} } = ${value}`
}

/** Copies the addons of an architecture into a directory, which is made anew; resolves with their names. */
export async function placeAddons(architecture: Architecture, directory: string): Promise<readonly string[]> {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const placed: string[] = []
  for (const { file, source } of Object.values<Addon>(ADDONS)) {
    const found = source(PLATFORMS[architecture])
    if (found === undefined) continue
    await copyFile(await addonFile(found.name, found.member), join(directory, file))
    placed.push(file)
  }
  return placed
}

/** npm installs a package of addons only where they run, so that those of the other architecture are fetched. */
async function addonFile(name: string, member: string): Promise<string> {
  const installed = join('node_modules', name, member)
  if (existsSync(installed)) return installed
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock
  const { version, integrity } = packages[`node_modules/${name}`] ?? {}
  if (version === undefined || integrity === undefined) throw new Error(`package-lock.json does not say what ${name} is`)
  return await packageFile({ name, version, integrity }, member)
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>
}
