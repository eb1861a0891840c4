import { access } from 'node:fs/promises'
import { BUSYBOX_IMAGE, loadBusyboxImage } from '../../src/testing/docker-image.ts'
import { cleanEnvironment, runToEnd } from './processes.ts'
import type { Scratch } from './scratch.ts'

/** The image that is started: a static busybox. */
export const BENCH_IMAGE = BUSYBOX_IMAGE

/** What the image is made of (package `busybox-static`). */
const BUSYBOX = '/bin/busybox'

/** Runs `docker …` and resolves with its stdout. */
export function docker(...args: readonly string[]): Promise<string> {
  return runToEnd('docker', args, cleanEnvironment({ HOME: process.env['HOME'] ?? '/' }))
}

/** `true`, or why no container can be started here. */
export async function whyNoDocker(): Promise<true | string> {
  if (!(await succeeds(docker('version')))) return 'no Docker daemon answers'
  if ((await hasImage()) || (await succeeds(access(BUSYBOX)))) return true
  return `there is no image ${BENCH_IMAGE}, and no ${BUSYBOX} to make it from (package busybox-static)`
}

/** Makes the image where it is missing, until the scratch is disposed of. */
export async function prepareImage(scratch: Scratch): Promise<void> {
  if (await hasImage()) return
  await loadBusyboxImage(socketPath())
  scratch.defer(async () => void (await docker('image', 'rm', '--force', BENCH_IMAGE)))
}

/** The ids of the containers that a node runs now. */
export function containersOf(nodeId: string): Promise<readonly string[]> {
  return listContainers(nodeId)
}

/** Removes whatever a node has left: workloads outlive their daemon. */
export async function removeContainersOf(nodeId: string): Promise<void> {
  const ids = await listContainers(nodeId, '--all')
  if (ids.length > 0) await docker('rm', '--force', ...ids)
}

async function listContainers(nodeId: string, ...options: readonly string[]): Promise<readonly string[]> {
  const ids = await docker('ps', '--quiet', '--filter', `label=nunet.node=${nodeId}`, ...options)
  return ids.split('\n').filter((id) => id !== '')
}

function hasImage(): Promise<boolean> {
  return succeeds(docker('image', 'inspect', BENCH_IMAGE))
}

function socketPath(): string {
  return (process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '')
}

function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false
  )
}
