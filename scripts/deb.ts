import { execFile } from 'node:child_process'
import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { programVersion } from './support/bundler.ts'
import { thirdPartyLicences } from './support/licences.ts'
import { placeAddons } from './support/natives.ts'
import type { Architecture } from './support/node-binary.ts'

const run = promisify(execFile)

const BUILDS = 'builds'
const SOURCES = 'packaging/deb'
const ARCHITECTURES: readonly Architecture[] = ['amd64', 'arm64']
const SCRIPTS = ['postinst', 'prerm', 'postrm']

/** Where each shell looks for the completions of a program. */
const COMPLETIONS: Readonly<Record<string, string>> = {
  bash: 'usr/share/bash-completion/completions/nunet',
  zsh: 'usr/share/zsh/vendor-completions/_nunet',
  fish: 'usr/share/fish/vendor_completions.d/nunet.fish'
}

/** Builds `builds/nunet-dms_<version>_<architecture>.deb` from each executable that is built. */
async function main(): Promise<void> {
  const { version } = programVersion()
  const common = join(BUILDS, 'work', 'common')
  await rm(common, { recursive: true, force: true })
  await placeCommon(common)
  for (const architecture of ARCHITECTURES) {
    const root = join(BUILDS, 'work', `deb-${architecture}`)
    await rm(root, { recursive: true, force: true })
    await cp(common, root, { recursive: true })
    await placeProgram(root, architecture)
    await placeControl(root, architecture, version)
    const file = join(BUILDS, `nunet-dms_${version}_${architecture}.deb`)
    await run('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', root, file])
    console.log(`built ${file}`)
  }
  await rm(join(BUILDS, 'work'), { recursive: true, force: true })
}

/** What is the same for all architectures. */
async function placeCommon(root: string): Promise<void> {
  const documentation = join(root, 'usr/share/doc/nunet-dms')
  await place(join(root, 'lib/systemd/system/nunet.service'), join(SOURCES, 'nunet.service'))
  await place(join(root, 'lib/udev/rules.d/70-nunet-ledger.rules'), join(SOURCES, 'ledger.rules'))
  await place(join(root, 'usr/lib/nunet-dms/first-run'), join(SOURCES, 'first-run'), 0o755)
  await place(join(documentation, 'copyright'), join(SOURCES, 'copyright'))
  await place(join(documentation, 'README.md'), join(SOURCES, 'README.md'))
  await write(join(documentation, 'changelog.gz'), compress(await readFile('CHANGELOG.md')))
  await write(join(documentation, 'third-party-licences.gz'), compress(Buffer.from(await thirdPartyLicences())))
  await placeCompletions(root)
  await placeManual(join(root, 'usr/share/man'))
}

/** What the program itself prints for each shell. */
async function placeCompletions(root: string): Promise<void> {
  for (const [shell, path] of Object.entries(COMPLETIONS)) {
    await write(join(root, path), (await run(process.execPath, ['bin/nunet', 'completion', shell])).stdout)
  }
}

/** The pages that scripts/man.ts writes, each in the directory of its section. */
async function placeManual(manual: string): Promise<void> {
  const pages = join(BUILDS, 'work', 'man')
  await mkdir(pages, { recursive: true })
  await run('tsx', ['scripts/man.ts', pages])
  for (const name of await readdir(pages)) {
    await write(join(manual, `man${extname(name).slice(1)}`, `${name}.gz`), compress(await readFile(join(pages, name))))
  }
}

async function placeProgram(root: string, architecture: Architecture): Promise<void> {
  await place(join(root, 'usr/bin/nunet'), join(BUILDS, `dms_linux_${architecture}`), 0o755)
  const addons = join(root, 'usr/lib/nunet-dms/native')
  for (const name of await placeAddons(architecture, addons)) await chmod(join(addons, name), 0o644)
}

async function placeControl(root: string, architecture: Architecture, version: string): Promise<void> {
  const control = join(root, 'DEBIAN')
  await write(
    join(control, 'control'),
    [
      'Package: nunet-dms',
      `Version: ${version}`,
      `Architecture: ${architecture}`,
      'Section: utils',
      'Priority: optional',
      'Maintainer: NuNet DMS contributors <dms@nunet.invalid>',
      `Installed-Size: ${Math.ceil((await sizeOf(root)) / 1024)}`,
      'Depends: libc6 (>= 2.28), libgcc-s1, libstdc++6, passwd, init-system-helpers, iproute2',
      'Recommends: docker.io | docker-ce, iptables, nftables',
      'Suggests: qemu-system-x86, e2fsprogs',
      'Description: lends this machine to the NuNet network, and runs jobs on others',
      ' The Device Management Service makes a machine a member of NuNet, a network of',
      ' computers without a centre. A member can lend a part of its processor, memory',
      ' and disk to others, run its own jobs on theirs, or both.',
      ' .',
      ' The program contains its own runtime; Docker is needed only to run containers.',
      ''
    ].join('\n')
  )
  for (const name of SCRIPTS) await place(join(control, name), join(SOURCES, name), 0o755)
}

async function place(path: string, source: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  await copyFile(source, path)
  await chmod(path, mode)
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  await writeFile(path, content, { mode: 0o644 })
}

/** Without a time in it, so that the same input gives the same package. */
function compress(content: Uint8Array): Uint8Array {
  return gzipSync(content, { level: 9 })
}

async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const sizes = entries.map(async (entry) => (entry.isFile() ? (await stat(join(entry.parentPath, entry.name))).size : 4096))
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

await main()
