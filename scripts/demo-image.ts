import { spawn } from 'node:child_process'
import { access, cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The image of examples/hello-docker.yaml. */
const IMAGE = 'nunet-demo/busybox:latest'

/** Where a static busybox lies on Debian (package busybox-static). */
const BUSYBOX = '/bin/busybox'

interface Outcome {
  readonly code: number
  readonly error: string
}

function run(program: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let error = ''
    child.stderr.on('data', (data: Buffer) => {
      error += data.toString()
    })
    child.on('error', (failure) => resolve({ code: -1, error: failure.message }))
    child.on('close', (code) => resolve({ code: code ?? -1, error: error.trim() }))
  })
}

async function hasImage(): Promise<boolean> {
  return (await run('docker', ['image', 'inspect', IMAGE])).code === 0
}

async function hasBusybox(): Promise<boolean> {
  return access(BUSYBOX).then(
    () => true,
    () => false
  )
}

/** Why the demo cannot use Docker, or undefined when it can. */
export async function whyNoDocker(): Promise<string | undefined> {
  const version = await run('docker', ['version'])
  if (version.code === -1) return 'there is no docker program'
  if (version.code !== 0) return 'no Docker daemon answers'
  if (await hasImage()) return undefined
  return (await hasBusybox())
    ? undefined
    : `there is no image ${IMAGE}, and no ${BUSYBOX} to make it from (package busybox-static)`
}

/** Makes the image where it is missing; says whether it did. */
export async function makeImage(): Promise<boolean> {
  if (await hasImage()) return false
  const directory = await mkdtemp(join(tmpdir(), 'nunet-image-'))
  try {
    const bin = join(directory, 'root', 'bin')
    await mkdir(bin, { recursive: true })
    await cp(BUSYBOX, join(bin, 'busybox'))
    for (const name of ['sh', 'echo', 'uname', 'id', 'sleep']) await symlink('busybox', join(bin, name))
    const archive = join(directory, 'root.tar')
    for (const [program, args] of [
      ['tar', ['-C', join(directory, 'root'), '-cf', archive, '.']],
      ['docker', ['import', archive, IMAGE]]
    ] as const) {
      const { code, error } = await run(program, args)
      if (code !== 0) throw new Error(`cannot make the image ${IMAGE}: ${error}`)
    }
    return true
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Removes the image. */
export async function removeImage(): Promise<void> {
  await run('docker', ['image', 'rm', '--force', IMAGE])
}
