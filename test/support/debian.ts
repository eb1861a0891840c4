import { execFile } from 'node:child_process'
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Fresh roots are copies of a tarball that is made once per checkout. */
const CACHE = fileURLToPath(new URL('../../.cache/', import.meta.url))
const PACKAGES = 'passwd,init-system-helpers,iproute2'
/** Makes `/proc` in a mount namespace of its own, so that nothing stays mounted, and goes on as the last process in the root. */
const ENTER = 'mount -t proc proc "$1/proc" && exec chroot "$1" /bin/sh -c "$2"'

/** A minimal Debian in a directory; no service manager runs in it, the network is that of this machine. */
export interface DebianRoot {
  readonly directory: string
  /** The program and arguments that run a shell script in it as root. */
  enter(script: string): readonly [command: string, args: readonly string[]]
  /** Runs a shell script in it as root and resolves with its stdout; rejects with its stderr when it fails. */
  sh(script: string): Promise<string>
  dispose(): Promise<void>
}

/** Makes a root like the Debian of this machine. */
export async function createDebianRoot(): Promise<DebianRoot> {
  const archive = await baseArchive()
  const directory = await mkdtemp(join(tmpdir(), 'nunet-debian-'))
  await run('tar', ['-xf', archive, '-C', directory])
  await chmod(directory, 0o755) // it is the root of the others, too
  const enter = (script: string) =>
    ['unshare', ['--mount', '--propagation', 'private', 'sh', '-c', ENTER, 'sh', directory, script]] as const
  return {
    directory,
    enter,
    async sh(script) {
      const [command, args] = enter(script)
      const { stdout } = await run(command, args, { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C' } })
      return stdout
    },
    dispose: () => rm(directory, { recursive: true, force: true })
  }
}

async function baseArchive(): Promise<string> {
  const { suite, mirror } = await debianSource()
  const archive = join(CACHE, `debian-${suite}-${process.arch}.tar`)
  const exists = await access(archive).then(
    () => true,
    () => false
  )
  if (exists) return archive
  await mkdir(CACHE, { recursive: true })
  const work = await mkdtemp(join(tmpdir(), 'nunet-debootstrap-'))
  try {
    await run('debootstrap', ['--variant=minbase', `--include=${PACKAGES}`, suite, work, mirror], { maxBuffer: 2 ** 26 })
    const skipped = ['./var/cache/apt/archives/*.deb', './var/lib/apt/lists/*', './usr/share/doc/*', './usr/share/locale/*']
    await run('tar', ['-cf', `${archive}.new`, '-C', work, ...skipped.map((path) => `--exclude=${path}`), '.'])
    await rename(`${archive}.new`, archive)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return archive
}

/** What this machine itself was installed from. */
async function debianSource(): Promise<{ readonly suite: string; readonly mirror: string }> {
  const release = await readFile('/etc/os-release', 'utf8')
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1]
  if (!/^ID=debian$/m.test(release) || suite === undefined) throw new Error('this is not Debian')
  const found = (await sourceLists()).map((text) => mirrorIn(text, suite)).find((mirror) => mirror !== undefined)
  if (found === undefined) throw new Error(`apt has no source for ${suite}`)
  return { suite, mirror: found }
}

async function sourceLists(): Promise<readonly string[]> {
  const directory = '/etc/apt/sources.list.d'
  const names = await readdir(directory).catch(() => [])
  const paths = ['/etc/apt/sources.list', ...names.map((name) => join(directory, name))]
  return Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')))
}

/** In the form of one line per source, or of one paragraph. */
function mirrorIn(text: string, suite: string): string | undefined {
  const line = new RegExp(`^deb (?:\\[[^\\]]*\\] )?(\\S+) ${suite} `, 'm').exec(text)?.[1]
  if (line !== undefined) return line
  const paragraph = text.split(/\n\s*\n/).find((part) => new RegExp(`^Suites:.*\\b${suite}(\\s|$)`, 'm').test(part))
  return /^URIs: *(\S+)/m.exec(paragraph ?? '')?.[1]
}
