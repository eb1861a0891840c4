import { createHash } from 'node:crypto'
import { gibibytes, hours, type JsonValue, millis, minutes, seconds, toNanos } from '../../base/index.ts'
import {
  broadcastHello,
  capAnchor,
  capRevokeAnchor,
  capRevokeBroadcast,
  deploymentList,
  deploymentLogs,
  deploymentNew,
  deploymentShutdown,
  deploymentStatus,
  hello,
  offboard,
  onboard,
  publicStatus,
  resourcesFree
} from '../../protocol/index.ts'
import type { Chance } from './chance.ts'
import type { Answer, Owner } from './owner.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { Trust } from './trust.ts'
import type { World } from './world.ts'

/** What an owner does with a node for a while. */
export type Deed = (place: Place) => Promise<void>

/** What all owners of a world share. */
export interface Surroundings {
  readonly world: World
  readonly nodes: readonly SimulatedNode[]
  readonly ownerOf: (node: SimulatedNode) => Owner
  readonly trust: Trust
}

/** What a deed gets. */
export interface Place extends Surroundings {
  readonly node: SimulatedNode
  readonly owner: Owner
  readonly chance: Chance
}

/** What owners do, and how often. */
export interface Workload {
  readonly summary: string
  /** Mean pause between two deeds in the whole world, in milliseconds: a day costs the same whoever is in it. */
  readonly pause: number
  /**
   * When somebody takes a grant back at the earliest, in per cent of the run: late, because nodes repeat revocations for ever, which
   * fills long runs with nothing new.
   */
  readonly revokesAfter?: number
  readonly deeds: readonly WeightedDeed[]
}

/** A deed, and how often it is done: its weight against the sum of all. */
export interface WeightedDeed {
  readonly name: string
  readonly weight: number
  readonly deed: Deed
}

const DEEDS_OF_LENDING: readonly WeightedDeed[] = [
  { name: 'offer', weight: 2, deed: changeOffer },
  { name: 'offboard', weight: 1, deed: takeBack }
]
const DEEDS_OF_DEPLOYING: readonly WeightedDeed[] = [
  { name: 'deploy', weight: 6, deed: deploy },
  { name: 'look', weight: 2, deed: look }
]
const DEEDS_OF_TRUSTING: readonly WeightedDeed[] = [
  { name: 'hello', weight: 1, deed: greet },
  { name: 'public status', weight: 1, deed: visit },
  { name: 'trespass', weight: 1, deed: trespass },
  { name: 'anchor', weight: 1, deed: anchorForeign }
]

/** Owners of large worlds do something at least so often. */
const LONGEST_PAUSE = hours(6)

/** The workloads by name. */
export const WORKLOADS: Readonly<Record<string, Workload>> = {
  mixed: {
    summary: 'a bit of everything',
    pause: minutes(20),
    revokesAfter: 70,
    deeds: [...DEEDS_OF_LENDING, ...DEEDS_OF_DEPLOYING, ...DEEDS_OF_TRUSTING]
  },
  deployments: { summary: 'lending and deploying only', pause: minutes(12), deeds: [...DEEDS_OF_LENDING, ...DEEDS_OF_DEPLOYING] },
  grants: { summary: 'greetings, grants and revocations only', pause: minutes(6), revokesAfter: 20, deeds: DEEDS_OF_TRUSTING },
  quiet: { summary: 'nodes that are left alone', pause: Number.POSITIVE_INFINITY, deeds: DEEDS_OF_TRUSTING }
}

/** Runs the owners of a world until `end`; they go on after it only with what they have begun. */
export function startOwners(surroundings: Surroundings, workload: Workload, end: number): void {
  const { world, nodes, ownerOf } = surroundings
  for (const node of nodes) {
    const pause = Math.min(workload.pause * nodes.length, LONGEST_PAUSE)
    const place = { ...surroundings, node, owner: ownerOf(node), chance: node.chance.fork('deeds') }
    if (Number.isFinite(workload.pause)) void live(place, { ...workload, pause }, end)
  }
  const [first] = nodes
  if (first === undefined || workload.revokesAfter === undefined) return
  const place = { ...surroundings, node: first, owner: ownerOf(first), chance: world.chance.fork('revocation') }
  world.after(((end - world.now()) * place.chance.between(workload.revokesAfter, 95)) / 100, () => void revoke(place))
}

async function live(place: Place, { pause, deeds }: Workload, end: number): Promise<void> {
  const { world, node, chance } = place
  await world.sleep(chance.between(1000, 60_000))
  if (chance.happens(0.8)) await changeOffer(place)
  const total = deeds.reduce((sum, { weight }) => sum + weight, 0)
  for (;;) {
    await world.sleep(chance.gap(pause))
    if (world.now() >= end || node.isGone) return
    let point = chance.unit() * total
    const chosen = deeds.find(({ weight }) => {
      point -= weight
      return point < 0
    })
    if (chosen === undefined) continue
    world.note(node.name, `owner: ${chosen.name}`)
    void chosen.deed(place) // several may go on at once
  }
}

/** Ends all deployments of a node, as its owner would who closes the shop: asks until nothing runs. */
export async function closeShop(world: World, owner: Owner): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const answer = await owner.ask(deploymentList, {}, { timeout: seconds(10) })
    const open =
      answer.type === 'reply'
        ? answer.reply.deployments.filter(
            ({ status }) => status !== 'Completed' && status !== 'Failed' && status !== 'ShuttingDown'
          )
        : undefined
    if (open?.length === 0) return
    for (const { orchestratorId } of open ?? [])
      await owner.ask(deploymentShutdown, { id: orchestratorId }, { timeout: seconds(10) })
    await world.sleep(60_000)
  }
}

function tell(place: Place, what: string, answer: Answer<unknown>): void {
  const outcome = answer.type === 'error' ? `refused: ${messageOf(answer.error)}` : answer.type === 'reply' ? 'done' : 'no answer'
  place.world.note(place.node.name, `owner: ${what}: ${outcome}`)
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 200)
}

async function changeOffer(place: Place): Promise<void> {
  const { owner, chance } = place
  const resources = {
    cpu: { clockHz: 0, cores: chance.between(1, 8), model: '', vendor: '', threads: 0, architecture: '', cacheBytes: 0 },
    gpus: [],
    ram: { size: gibibytes(chance.between(2, 14)), clockSpeed: 0, type: '' },
    disk: { size: gibibytes(chance.between(2, 100)), type: '' }
  }
  const cards = [`0:${chance.between(3, 21)}`, `1:${chance.between(2, 14)}`].filter(() => chance.happens(0.5))
  const what = `lends ${resources.cpu.cores} cores and cards ${cards.join(', ')}`
  tell(place, what, await owner.ask(onboard, { noGpu: cards.length === 0, gpus: cards, config: { resources } }))
}

async function takeBack(place: Place): Promise<void> {
  tell(place, 'takes the offer back', await place.owner.ask(offboard, {}))
  await place.world.sleep(place.chance.between(60_000, hours(2)))
  if (place.chance.happens(0.9)) await changeOffer(place)
}

async function greet(place: Place): Promise<void> {
  const replies = await place.owner.broadcast(broadcastHello, null, seconds(5))
  place.world.note(place.node.name, `owner: ${replies} answered the greeting`)
}

/** Asks another node what it may be asked by those whom its owner trusts. */
async function visit(place: Place): Promise<void> {
  const other = place.chance.pick(place.nodes)
  const destination = other.key.did
  tell(place, `greets ${other.name}`, await place.owner.ask(hello, null, { destination, timeout: seconds(10) }))
  tell(place, `asks ${other.name}`, await place.owner.ask(publicStatus, null, { destination, timeout: seconds(10) }))
}

/** Asks another node what only its owner may ask. */
async function trespass(place: Place): Promise<void> {
  const other = place.chance.pick(place.nodes)
  const destination = other.key.did
  tell(place, `wants to know of ${other.name}`, await place.owner.ask(resourcesFree, null, { destination, timeout: seconds(5) }))
  tell(place, `wants to offboard ${other.name}`, await place.owner.ask(offboard, {}, { destination, timeout: seconds(5) }))
}

/** Takes a grant back: at the own node, or everywhere. */
async function revoke(place: Place): Promise<void> {
  const { node, owner, chance, trust, world } = place
  const own = trust.grants.filter(({ at, guest }) => at === node && guest !== undefined)
  if (own.length === 0) return
  const { token, guest } = chance.pick(own)
  const revocation = await owner.context.revoke(token)
  const isPublic = chance.happens(0.5)
  const request = { token: [revocation] }
  const answer = await (isPublic ? owner.ask(capRevokeBroadcast, request) : owner.ask(capRevokeAnchor, request))
  tell(place, `revokes the grant of ${guest?.name}${isPublic ? ' everywhere' : ''}`, answer)
  if (guest === undefined) return
  await world.sleep(chance.between(0, 120_000))
  const greeting = await place.ownerOf(guest).ask(hello, null, { destination: node.key.did, timeout: seconds(10) })
  tell({ ...place, node: guest }, `greets ${node.name} after its grant was revoked`, greeting)
}

/** Anchors what cannot be one, and what can. */
async function anchorForeign(place: Place): Promise<void> {
  const { owner, chance, world, nodes } = place
  const other = chance.pick(nodes)
  const expiresAt = toNanos(millis(world.now() + hours(1)))
  const token = await owner.context.grant({ subject: other.user.did, capabilities: ['/public'], expiresAt })
  const broken = { ...token, signature: token.signature.map((byte) => byte ^ 1) }
  tell(place, 'anchors a forged token', await owner.ask(capAnchor, { require: [broken] }))
}

/** Looks at the own deployments, and ends those that have run for long: some were made by commands that were never answered. */
async function look(place: Place): Promise<void> {
  const { node, owner } = place
  const answer = await owner.ask(deploymentList, { status: ['Running'] })
  tell(place, 'looks at its deployments', answer)
  const running = answer.type === 'reply' ? answer.reply.deployments : []
  for (const { orchestratorId, createdAt } of running) {
    if (node.now() - Date.parse(createdAt) > minutes(20)) await owner.ask(deploymentShutdown, { id: orchestratorId })
  }
}

/** What one allocation of a simulated ensemble does. */
interface Job {
  readonly type: 'task' | 'service'
  readonly params: Readonly<Record<string, JsonValue>>
}

async function deploy(place: Place): Promise<void> {
  const { world, owner, chance } = place
  const { ensemble, isForever, longest } = draftEnsemble(place)
  const timeout = chance.happens(0.05) ? seconds(30) : seconds(chance.between(60, 150))
  const answer = await owner.ask(deploymentNew, { ensemble }, { timeout })
  tell(place, 'deploys', answer)
  const id = answer.type === 'reply' ? answer.reply.ensembleId : undefined
  if (id === undefined) {
    await world.sleep(chance.between(minutes(20), minutes(30)))
    await look(place)
    return
  }
  const endAt = world.now() + timeout + (isForever ? chance.between(30_000, minutes(6)) : longest + minutes(5))
  const isImpatient = chance.happens(0.15)
  if (isImpatient) await world.sleep(chance.between(0, 90_000))
  while (!isImpatient && world.now() < endAt) {
    await world.sleep(chance.between(30_000, 180_000))
    const status = await owner.ask(deploymentStatus, { id }, { timeout: seconds(10) })
    if (status.type === 'reply' && (status.reply.status === 'Completed' || status.reply.status === 'Failed')) break
  }
  if (chance.happens(0.5)) await owner.ask(deploymentLogs, { id, allocation: 'node1.job1' }, { timeout: seconds(10) })
  if (isForever || isImpatient) {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const ended = await owner.ask(deploymentShutdown, { id }, { timeout: seconds(10) })
      tell(place, `shuts ${id.slice(0, 8)} down`, ended)
      if (ended.type !== 'nothing') break
      await world.sleep(30_000)
    }
  }
}

function draftEnsemble({ chance, nodes }: Place): {
  readonly ensemble: JsonValue
  readonly isForever: boolean
  readonly longest: number
} {
  const isForever = chance.happens(0.25)
  let longest = 0
  const groups = Array.from({ length: chance.happens(0.2) ? 2 : 1 }, (_, group) => {
    const jobs = Array.from({ length: chance.happens(0.3) ? 2 : 1 }, (_job, job) => {
      const duration = chance.happens(0.1) ? 0 : chance.between(500, chance.happens(0.2) ? 600_000 : 90_000)
      longest = Math.max(longest, duration)
      return [`job${group * 2 + job + 1}`, draftJob(chance, isForever, duration)] as const
    })
    const peer = chance.happens(0.3) ? { peer: chance.pick(nodes).key.peerId } : {}
    return { name: `node${group + 1}`, jobs, peer }
  })
  const all = groups.flatMap(({ jobs }) => jobs)
  const isTooBig = chance.happens(0.05)
  const allocations = Object.fromEntries(
    all.map(([name, { type, params }]) => [
      name,
      {
        type,
        executor: 'null',
        resources: {
          cpu: { cores: isTooBig ? 64 : chance.between(1, 3) },
          ram: { size: gibibytes(1) },
          disk: { size: gibibytes(1) },
          gpus: draftCards(chance)
        },
        execution: { type: 'null', params }
      }
    ])
  )
  const placed = Object.fromEntries(
    groups.map(({ name, jobs, peer }) => [name, { allocations: jobs.map(([job]) => job), ...peer }])
  )
  return { ensemble: { v1: { allocations, nodes: placed } }, isForever, longest }
}

/** Most jobs want none; some want more than a machine has. */
function draftCards(chance: Chance): JsonValue {
  if (!chance.happens(0.25)) return []
  const vendor = chance.pick(['', 'NVIDIA', 'AMD', 'Intel'])
  return Array.from({ length: chance.between(1, 3) }, () => ({
    ...(vendor === '' ? {} : { vendor }),
    ...(chance.happens(0.2) ? {} : { vram: gibibytes(chance.between(1, 12)) })
  }))
}

function draftJob(chance: Chance, isForever: boolean, duration: number): Job {
  const marker = createHash('sha256').update(chance.bytes(8)).digest('hex')
  const stdout = marker.repeat(chance.happens(0.1) ? 60 : 1)
  if (isForever) return { type: 'service', params: { forever: true, stdout } }
  const exitCode = chance.happens(0.15) ? chance.between(1, 255) : 0
  return { type: 'task', params: { duration_ms: duration, exit_code: exitCode, stdout } }
}
