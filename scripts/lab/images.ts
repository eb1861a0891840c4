import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { type FakeRegistry, layersOf, startFakeRegistry } from '../../src/testing/registry.ts'

const run = promisify(execFile)
const MOST = 2 ** 29

/** Serves images of directories on loopback, to executors that fetch theirs from a registry. */
export interface LabImages {
  /** As `image.insecure_registries` names it. */
  readonly host: string
  /** Serves a directory as an image of one layer; resolves with its name. */
  add(name: string, root: string): Promise<string>
  close(): Promise<void>
}

/** Opens a registry without images. */
export async function openLabImages(): Promise<LabImages> {
  const registry: FakeRegistry = await startFakeRegistry()
  return {
    host: registry.host,
    async add(name, root) {
      const { stdout } = await run('tar', ['-C', root, '--numeric-owner', '-c', '.'], { encoding: 'buffer', maxBuffer: MOST })
      registry.add(name, layersOf([{ archive: stdout, packed: gzipSync(stdout, { level: 1 }) }]))
      return `${registry.host}/${name}`
    },
    close: () => registry.close()
  }
}

/** Lays out the root of a busybox with all its commands in a directory of its own, which the caller removes. */
export async function layBusyboxRoot(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'nunet-lab-image-'))
  for (const name of ['bin', 'tmp', 'etc', 'data']) await mkdir(join(root, name))
  await chmod(root, 0o755)
  await chmod(join(root, 'tmp'), 0o1777)
  await copyFile('/bin/busybox', join(root, 'bin/busybox'))
  await run('/bin/busybox', ['--install', '-s', join(root, 'bin')])
  await run('/bin/sh', ['-c', 'cd "$1/bin" && for link in *; do [ -L "$link" ] && ln -sf busybox "$link"; done', 'sh', root])
  return root
}

/** Serves a busybox; resolves with the name of its image. */
export async function serveBusybox(images: LabImages): Promise<string> {
  const root = await layBusyboxRoot()
  try {
    return await images.add('nunet-test/busybox:latest', root)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}
