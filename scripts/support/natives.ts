import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type * as esbuild from 'esbuild'
import type { Architecture } from './node-binary.ts'

/** An addon that comes ready for each platform inside of its package. */
interface Addon {
  /** Its file beside the program. */
  readonly file: string
  readonly path: (platform: string) => string
}

/** Debian has glibc. */
const ADDONS = {
  sqlite: {
    file: 'sqlite.node',
    path: (platform) => `node_modules/@photostructure/sqlite/prebuilds/${platform}/@photostructure+sqlite.glibc.node`
  }
} as const satisfies Readonly<Record<string, Addon>>

const PLATFORMS: Readonly<Record<Architecture, string>> = { amd64: 'linux-x64', arm64: 'linux-arm64' }

/** Replaces the searches of packages for their addon, which need a `node_modules`, by scripts/program/native.cjs. */
export const nativePackages: esbuild.Plugin = {
  name: 'native-packages',
  setup(build) {
    const loader = JSON.stringify(resolve('scripts/program/native.cjs'))
    const replace = (filter: RegExp, importer: RegExp, { file }: Addon): void => {
      build.onResolve({ filter }, (found) =>
        importer.test(found.importer) ? { path: file, namespace: 'addon', pluginData: file } : undefined
      )
    }
    replace(/^node-gyp-build$/, /@photostructure[\\/]sqlite[\\/]/, ADDONS.sqlite)
    build.onLoad({ filter: /.*/, namespace: 'addon' }, ({ path }) => ({
      contents: `module.exports = () => require(${loader}).loadAddon(${JSON.stringify(path)})`,
      loader: 'js',
      resolveDir: resolve('.')
    }))
  }
}

/** Copies the addons of an architecture into a directory, which is made anew; resolves with their names. */
export async function placeAddons(architecture: Architecture, directory: string): Promise<readonly string[]> {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  for (const { file, path } of Object.values(ADDONS)) await copyFile(path(PLATFORMS[architecture]), join(directory, file))
  return Object.values(ADDONS).map(({ file }) => file)
}
