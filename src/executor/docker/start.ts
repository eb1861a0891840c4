import { stat } from 'node:fs/promises'
import { type AbortOptions, type Clock, type Logger, millis, seconds } from '../../base/index.ts'
import { ExecutorStartFailedError } from '../errors.ts'
import type { Workload } from '../executor.ts'
import { type ContainerCommand, scriptedCommand } from '../preparation.ts'
import type { Attachment } from './attachment.ts'
import { type DockerAnswer, type DockerClient, refusalText } from './client.ts'
import { containerConfig, containerName, formerContainerName } from './container.ts'
import type { Containers } from './containers.ts'
import { hasImage, isMissingImage, notFound, type PullOptions, pullImage } from './image.ts'
import { archiveOf, commandOfImage } from './preparation.ts'
import { type DockerSpec, parseDockerSpec } from './spec.ts'
import type { ContainerState } from './state.ts'

const CONFLICT_POLL = millis(50)
const CONFLICT_LIMIT = seconds(10)

/** What {@link startContainer} works with. */
export interface StartContext {
  readonly client: DockerClient
  readonly containers: Containers
  readonly attachment: Attachment
  readonly nodeId: string
  readonly clock: Clock
  readonly log: Logger
  readonly pull: Pick<PullOptions, 'limit' | 'stallLimit' | 'onProgress'>
  /** Turned off by the first container that shows that this daemon cannot limit the disk. */
  readonly disk: { isLimited: boolean }
}

/**
 * The id of the running (or ended) container of the workload, made when there is none.
 *
 * Safe to repeat after an interruption at any point: the name makes a second container impossible, and one that was created
 * but not started is started. A container that does not start is removed.
 */
export async function startContainer(context: StartContext, workload: Workload, options: AbortOptions): Promise<string> {
  const spec = parseDockerSpec(workload)
  const existing = await findOwn(context, workload, options)
  if (existing === undefined) await ensureImage(context, spec, options)
  const container = existing ?? (await create(context, workload, spec, options))
  if (container.status === 'created') {
    if (existing !== undefined) await context.attachment.attach(workload, options) // the filter may be gone since it was made
    await putFiles(context, container.id, workload, options)
    await run(context, container.id, workload, options)
  }
  return container.id
}

/** Also one that an earlier release of this node started under its former name. */
async function findOwn(
  { containers, nodeId }: StartContext,
  workload: Workload,
  options: AbortOptions
): Promise<ContainerState | undefined> {
  const isOwn = ({ node, allocation }: ContainerState): boolean => node === nodeId && allocation === workload.id
  const name = containerName(nodeId, workload.id)
  const found = await containers.inspect(name, options)
  if (found !== undefined && isOwn(found)) return found
  if (found !== undefined) throw new ExecutorStartFailedError(`the name ${name} belongs to a container that is not this node's`)
  const former = await containers.inspect(formerContainerName(workload.id), options)
  return former !== undefined && isOwn(former) ? former : undefined
}

async function ensureImage(context: StartContext, spec: DockerSpec, options: AbortOptions): Promise<void> {
  const { client, clock, log, pull } = context
  if (await hasImage(client, spec.image, options)) return
  log.info('pulling image', { image: spec.image.text })
  await pullImage(client, spec.image, { ...pull, ...options, auth: spec.registryAuth, clock, log })
}

async function create(
  context: StartContext,
  workload: Workload,
  spec: DockerSpec,
  options: AbortOptions
): Promise<Pick<ContainerState, 'id' | 'status'>> {
  const deadline = context.clock.now() + CONFLICT_LIMIT
  for (;;) {
    const answer = await requestCreation(context, workload, spec, options)
    if (isMissingImage(answer)) throw notFound(spec.image, refusalText(answer))
    // 409: the name was taken meanwhile; Docker takes a name a moment before the container can be seen
    const container = answer.status === 201 || answer.status === 409 ? await findOwn(context, workload, options) : undefined
    if (container !== undefined) return container
    if (answer.status !== 409 || context.clock.now() > deadline) {
      throw new ExecutorStartFailedError(`Docker does not create the container of ${workload.id}: ${refusalText(answer)}`)
    }
    await context.clock.sleep(CONFLICT_POLL, options)
  }
}

async function requestCreation(
  context: StartContext,
  workload: Workload,
  spec: DockerSpec,
  options: AbortOptions
): Promise<DockerAnswer> {
  const { client, attachment, nodeId, log, disk } = context
  const command = await commandOf(context, workload, spec, options)
  const deviceGroups = await groupsOf(workload)
  const networkMode = await attachment.attach(workload, options)
  const attempt = (withDiskLimit: boolean): Promise<DockerAnswer> =>
    client.call({
      method: 'POST',
      path: '/containers/create',
      query: { name: containerName(nodeId, workload.id) },
      body: containerConfig(workload, spec, { nodeId, networkMode, withDiskLimit, command, deviceGroups }),
      ...options
    })
  const withDiskLimit = disk.isLimited // others may turn it off while this call is under way
  const answer = await attempt(withDiskLimit)
  if (!withDiskLimit || answer.status === 201 || !refusalText(answer).includes('storage-opt')) return answer
  if (disk.isLimited) log.warn('this Docker cannot limit the disk of containers', { reason: refusalText(answer) })
  disk.isLimited = false
  return attempt(false)
}

/** What runs when there are scripts; without them Docker joins description and image itself. */
async function commandOf(
  { client }: StartContext,
  { scripts = [] }: Workload,
  spec: DockerSpec,
  options: AbortOptions
): Promise<ContainerCommand | undefined> {
  if (scripts.length === 0) return undefined
  const { status, body } = await client.call({ method: 'GET', path: `/images/${spec.image.text}/json`, ...options })
  return status === 200 ? scriptedCommand(spec, commandOfImage(body)) : scriptedCommand(spec, { entrypoint: [], cmd: [] })
}

/** The groups that may open the devices, by number: an image does not know the names of this machine. */
async function groupsOf({ gpus = [] }: Workload): Promise<readonly number[]> {
  const paths = gpus.flatMap(({ vendor, devices }) => (vendor === 'nvidia' ? [] : devices))
  const groups = await Promise.all(paths.map(async (path) => (await stat(path).catch(() => undefined))?.gid ?? 0))
  return [...new Set(groups.filter((group) => group !== 0))]
}

/** A container that was created and not started may have its files already: they are the same. */
async function putFiles(
  { client, containers }: StartContext,
  id: string,
  workload: Workload,
  options: AbortOptions
): Promise<void> {
  const archive = await archiveOf(workload)
  if (archive === undefined) return
  const path = `/containers/${id}/archive`
  const answer = await client.call({ method: 'PUT', path, query: { path: '/' }, body: archive, ...options })
  if (answer.status === 200) return
  await containers.remove(id)
  throw new ExecutorStartFailedError(`Docker does not take the files of ${workload.id}: ${refusalText(answer)}`)
}

async function run({ client, containers }: StartContext, id: string, workload: Workload, options: AbortOptions): Promise<void> {
  const answer = await client.call({ method: 'POST', path: `/containers/${id}/start`, ...options })
  if (answer.status === 204 || answer.status === 304) return
  await containers.remove(id)
  throw new ExecutorStartFailedError(`Docker does not start the container of ${workload.id}: ${refusalText(answer)}`)
}
