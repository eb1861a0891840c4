import { chmod, chown, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Workload, WorkloadFile } from '../executor.ts'
import { filesInside } from '../preparation.ts'
import { findInLayers } from './layered-files.ts'
import type { RunFiles } from './run-files.ts'

const DIRECTORY_MODE = 0o755
/** From where the short names are; the directory of the run gets another name when it is whole. */
const RELATIVE_INSIDE = '../inside'

/** What every container has of its own, whatever its image says. */
export interface OwnFiles {
  readonly hostName: string
  readonly address?: string
  readonly resolvers: readonly string[]
}

/**
 * Lays the root of a container out: short names for the layers of its image, and above them one with the files of the workload.
 *
 * A layer of its own instead of writing into the image's: links of the image lead nowhere then, because what lies above hides them.
 * Done again after an interruption it gives the same.
 *
 * @returns The names of the layers, top first, as {@link MonitorSettings.layers}.
 */
export async function layOut(files: RunFiles, workload: Workload, layers: readonly string[], own: OwnFiles): Promise<string> {
  await Promise.all([files.layers, files.inside].map((path) => rm(path, { recursive: true, force: true })))
  await Promise.all([files.layers, files.inside].map((path) => mkdir(path, { recursive: true })))
  await chmod(files.inside, DIRECTORY_MODE)
  for (const file of [...ownFiles(own), ...filesInside(workload)]) await putFile(files.inside, layers, file)
  const names = [RELATIVE_INSIDE, ...layers].map((target, index) => ({ name: String(index), target }))
  await Promise.all(names.map(({ name, target }) => symlink(target, join(files.layers, name))))
  return names.map(({ name }) => name).join(':')
}

async function putFile(root: string, layers: readonly string[], { path, content, mode }: WorkloadFile): Promise<void> {
  await putDirectory(root, layers, dirname(path))
  const place = join(root, path)
  await writeFile(place, content)
  await chmod(place, mode)
}

/** A directory that the image has too keeps the owner and the rights that it has there. */
async function putDirectory(root: string, layers: readonly string[], path: string): Promise<void> {
  if (path === '/') return
  await putDirectory(root, layers, dirname(path))
  const place = join(root, path)
  if ((await mkdir(place, { recursive: true })) === undefined) return
  const known = await findInLayers(layers, path)
  const { mode, uid, gid } = known?.isDirectory === true ? known : { mode: DIRECTORY_MODE, uid: 0, gid: 0 }
  await chown(place, uid, gid)
  await chmod(place, mode)
}

function ownFiles({ hostName, address, resolvers }: OwnFiles): readonly WorkloadFile[] {
  const text = (path: string, lines: readonly string[]): WorkloadFile => ({
    path,
    content: Buffer.from(lines.map((line) => `${line}\n`).join('')),
    mode: 0o644
  })
  return [
    text('/etc/hosts', [
      '127.0.0.1\tlocalhost',
      '::1\tlocalhost ip6-localhost ip6-loopback',
      ...(address === undefined ? [] : [`${address}\t${hostName}`])
    ]),
    text('/etc/hostname', [hostName]),
    text(
      '/etc/resolv.conf',
      resolvers.map((server) => `nameserver ${server}`)
    )
  ]
}
