import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The image of the attackers: a busybox with all its commands, and perl, which can make any call of the kernel. */
export const ABUSE_IMAGE = 'nunet-test/abuse:latest'

const PERL = '/usr/bin/perl'

/**
 * Lays out the root of the image in a directory of its own, which the caller removes.
 *
 * Has a copy of perl with the set-user-id bit at `/bin/suid`.
 */
export async function layAbuseRoot(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'nunet-abuse-image-'))
  for (const name of ['bin', 'tmp', 'etc', 'proc', 'sys', 'dev', 'data', 'usr/bin'])
    await mkdir(join(root, name), { recursive: true })
  await chmod(root, 0o755)
  await chmod(join(root, 'tmp'), 0o1777)
  await copyFile('/bin/busybox', join(root, 'bin/busybox'))
  await run('/bin/busybox', ['--install', '-s', join(root, 'bin')])
  await run('/bin/sh', ['-c', 'cd "$1/bin" && for link in *; do [ -L "$link" ] && ln -sf busybox "$link"; done', 'sh', root])
  await copyPerl(root)
  await copyFile(PERL, join(root, 'bin/suid'))
  await chmod(join(root, 'bin/suid'), 0o4755)
  return root
}

async function copyPerl(root: string): Promise<void> {
  await copyFile(PERL, join(root, 'usr/bin/perl'))
  const { stdout } = await run('ldd', [PERL])
  for (const [path] of stdout.matchAll(/\/[^ ]+\.so[^ ]*/g)) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await cp(path, join(root, path), { dereference: true })
  }
}

/** Makes the image inside of Docker, without a registry. */
export async function loadAbuseImage(): Promise<void> {
  const root = await layAbuseRoot()
  try {
    const tar = spawn('tar', ['-C', root, '--numeric-owner', '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const docker = spawn('docker', ['import', '-', ABUSE_IMAGE], { stdio: [tar.stdout, 'ignore', 'pipe'] })
    const [code] = (await once(docker, 'close')) as [number | null]
    tar.kill() // where Docker does not take it, nothing else ends it
    if (code !== 0) throw new Error(`docker import ended with ${code}`)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}
