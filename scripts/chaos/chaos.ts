import { setTimeout as pause } from 'node:timers/promises'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { createDockerExecutor, defaultDockerSocket } from '../../src/executor/docker/index.ts'
import { loadBusyboxImage } from '../../src/testing/docker-image.ts'
import { openLabImages, serveBusybox } from '../lab/images.ts'
import { type Lab, type Lent, openLab } from '../lab/lab.ts'
import { leftovers, readTraces, type Traces } from '../lab/traces.ts'
import { CHAOS_EXECUTORS, type ChaosExecutor, chaosEnsemble } from './jobs.ts'

/** What is done, and how often. */
export interface ChaosOptions {
  /** How often a daemon is killed. */
  readonly times: number
  /** The same seed kills at the same moments, as far as the machine is as fast. */
  readonly seed: number
  readonly say: (line: string) => void
}

/** One job and what became of it. */
export interface ChaosJob {
  readonly kind: string
  readonly name: string
  readonly id: string
  readonly outcome: string
  readonly error: string
  /** Ends that its deployment has recorded; one is right. */
  readonly ends: number
  /** How often its program began, by the files that it left. */
  readonly runs: number
  readonly isComplete: boolean
}

/** What came of it all. */
export interface ChaosReport {
  readonly kills: Readonly<Record<'provider' | 'deployer', number>>
  readonly jobs: readonly ChaosJob[]
  readonly offer: Lent
  readonly free: Lent
  readonly left: readonly string[]
  readonly restartMs: readonly number[]
}

const MOST_JOBS = 6
/** A deployment asks for bids for 90 s at most, and a restarted peer is found again within a minute or so. */
const END_LIMIT_SECONDS = 240

/** Kills daemons with SIGKILL at random moments while jobs start, run and end, and looks at what is left of it in the end. */
export async function wreakHavoc({ times, seed, say }: ChaosOptions): Promise<ChaosReport> {
  const random = createRandom(seed)
  if ((await createDockerExecutor({ nodeId: 'probe', clock: systemClock, log: silentLogger }).probe()).available) {
    await loadBusyboxImage(defaultDockerSocket(process.env))
  }
  const images = await openLabImages()
  const image = await serveBusybox(images)
  const lab = await openLab({ cores: 1, memoryShare: 0.5, diskGiB: 4, registry: images.host })
  try {
    const executors = CHAOS_EXECUTORS.filter(({ kind }) => lab.executors.has(kind))
    if (executors.length === 0) throw new Error('no executor works here')
    say(`executors: ${executors.map(({ kind }) => kind).join(', ')}; seed ${seed}`)
    const before = await traces(lab)
    const { jobs, kills, restartMs } = await storm({ lab, image, executors, random, times, say })
    say('waiting for the last jobs')
    const over = await Promise.all(jobs.map((job) => ending(lab, job)))
    const marks = await readMarks(lab, executors, image)
    const judged = over.map((job) => ({ ...job, runs: marks.filter((mark) => mark.startsWith(`${job.name}.`)).length }))
    const { free, left } = await settled(lab, before)
    return { kills, jobs: judged, offer: lab.offer, free, left, restartMs }
  } finally {
    await lab.dispose()
    await images.close()
  }
}

interface Storm {
  readonly lab: Lab
  /** A busybox in a registry. */
  readonly image: string
  readonly executors: readonly ChaosExecutor[]
  readonly random: () => number
  readonly times: number
  readonly say: (line: string) => void
}

type Deployed = Pick<ChaosJob, 'kind' | 'name' | 'id'>

async function storm({ lab, image, executors, random, times, say }: Storm) {
  const jobs: Deployed[] = []
  const kills = { provider: 0, deployer: 0 }
  const restartMs: number[] = []
  let open: string[] = []
  for (let round = 0; round < times; round += 1) {
    open = await stillOpen(lab, open)
    const wanted = Math.min(MOST_JOBS - open.length, 1 + Math.floor(random() * 2))
    for (let index = 0; index < wanted; index += 1) {
      const executor = executors[jobs.length % executors.length]
      if (executor === undefined) break
      const name = `job${jobs.length}`
      const id = await lab.deploy(await chaosEnsemble(executor, name, Math.floor(random() * 40), image))
      jobs.push({ kind: executor.kind, name, id })
      open.push(id)
    }
    // Little time, or more often enough for bids to be asked for and for jobs to start and end.
    await pause(random() < 0.4 ? random() * 1500 : 1500 + random() * 8500)
    const victim = random() < 0.75 ? 'provider' : 'deployer'
    kills[victim] += 1
    await lab[victim].stop('SIGKILL')
    await pause(random() * 500)
    const started = performance.now()
    await lab.restart(lab[victim])
    restartMs.push(performance.now() - started)
    await lab.connect()
    if ((round + 1) % 10 === 0) say(`${round + 1} of ${times} kills, ${jobs.length} jobs, ${open.length} not over`)
  }
  return { jobs, kills, restartMs }
}

async function stillOpen(lab: Lab, ids: readonly string[]): Promise<string[]> {
  const states = await Promise.all(ids.map(async (id) => ({ id, ...(await lab.status(id)) })))
  return states.filter(({ status }) => status !== 'Completed' && status !== 'Failed').map(({ id }) => id)
}

async function ending(lab: Lab, job: Deployed): Promise<Omit<ChaosJob, 'runs'>> {
  const { status, error, events } = await lab.ended(job.id, END_LIMIT_SECONDS)
  const ends = events.filter(({ text }) => /^(completed|failed)\b/.test(text)).length
  const { stdout } = status === 'Completed' ? await lab.logs(job.id, 'node1.job') : { stdout: '' }
  return { ...job, outcome: status, error, ends, isComplete: stdout === 'begin\nend\n' }
}

/** Every file in the volume, through a job that lists it: nothing of the daemon is believed. */
async function readMarks(lab: Lab, executors: readonly ChaosExecutor[], image: string): Promise<readonly string[]> {
  const docker = executors.find(({ kind }) => kind === 'docker')
  if (docker === undefined) throw new Error('the marks are listed by a container, and Docker does not work here')
  const ensemble = (await chaosEnsemble(docker, 'reader', 0, image)).replace(/: > \/data.*echo end/, 'ls /data')
  const id = await lab.deploy(ensemble)
  const { status, error } = await lab.ended(id, END_LIMIT_SECONDS)
  if (status !== 'Completed') throw new Error(`the marks cannot be listed: ${error}`)
  const { stdout } = await lab.logs(id, 'node1.job')
  return stdout.split('\n').filter((name) => name !== '')
}

function traces({ provider }: Lab): Promise<Traces> {
  return readTraces({ home: provider.home, peerId: provider.dms.peerId, daemon: provider.daemon?.pid })
}

/** Waits until everything is given back, for a while; what is not by then stays in the report. */
async function settled(lab: Lab, before: Traces): Promise<Pick<ChaosReport, 'free' | 'left'>> {
  for (let tries = 0; ; tries += 1) {
    const free = await lab.free()
    const left = leftovers(before, await traces(lab))
    const isBack = free.cores === lab.offer.cores && free.ram === lab.offer.ram && free.disk === lab.offer.disk
    if ((isBack && left.length === 0) || tries === 60) return { free, left }
    await pause(1000)
  }
}

/** Mulberry32: small, and the same everywhere. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}
