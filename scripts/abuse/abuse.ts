import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { mapConcurrently } from '../../src/base/index.ts'
import { type Observation, observe, ownerQuestion } from '../hostile/observe.ts'
import { type LabImages, openLabImages } from '../lab/images.ts'
import { type DeploymentStatus, type Lab, type Lent, openLab, printed } from '../lab/lab.ts'
import { leftovers, readTraces, type Traces } from '../lab/traces.ts'
import { type Attempt, brief, type Probe } from './attempt.ts'
import { ABUSE_IMAGE, layAbuseRoot, loadAbuseImage } from './image.ts'
import { attackByNames, attackExecutors } from './names.ts'
import {
  KERNEL_PROBES,
  NOT_MADE,
  neighbourProbes,
  networkProbes,
  probeScript,
  readProbes,
  type Surroundings,
  USER_PROBES
} from './probes.ts'
import { SHELL_ATTACKS, type ShellAttack, type ShellTarget, shellEnsemble } from './shell-attacks.ts'
import { WASM_ATTACKS, type WasmAttack, wasmEnsemble } from './wasm-attacks.ts'
import { containerProcess, type FindProcess, moduleProcess, monitoredProcess, sizeOf, type Used, watchJob } from './watch-job.ts'

const run = promisify(execFile)

/** How much is tried. */
export interface AbuseOptions {
  /** Every probe and name, and of the jobs that take long only some. */
  readonly isShort: boolean
  readonly say: (line: string) => void
}

/** What came of everything. */
export interface AbuseReport {
  readonly attempts: readonly Attempt[]
  /** The owner, who asks the daemon all the time. */
  readonly owner: Observation
  readonly offer: Lent
  readonly free: Lent
  readonly left: readonly string[]
}

/** An executor whose jobs have a shell. */
interface ShellExecutor extends ShellTarget {
  process(allocation: string): FindProcess
}

/** Of the long attacks, those that a short run makes. */
const SHORT: readonly string[] = Object.freeze([
  'a fork bomb',
  'a memory bomb',
  'a flood of output',
  'spinning on four processors',
  'ignoring the request to end',
  'leaving grandchildren in sessions of their own',
  'reads /etc/shadow',
  'reads ../wasm/run.json',
  'spins',
  'uses up the inodes',
  'opens files until there are no more',
  'sleeps in a call and hears no request to end'
])

/** After it was asked to end, or its time is over. */
const END_LIMIT_SECONDS = 90
const SETTLE_SECONDS = 60

/** Runs all attacks on a real daemon, while its owner uses it. */
export async function abuse({ isShort, say }: AbuseOptions): Promise<AbuseReport> {
  await loadAbuseImage().catch((error: unknown) => say(`docker: no image: ${String(error)}`))
  const images = await openLabImages()
  const modules = await assembleAll() // before the owner asks: it would keep this process from hearing the answers
  const services = await openServices()
  const lab = await openLab({ cores: 1, memoryShare: 0.5, diskGiB: 4, registry: images.host })
  const watching = new AbortController()
  try {
    const before = await traces(lab)
    const observing = observe({ ...ownerQuestion(lab.provider), everyMs: 100 }, watching.signal)
    const shells = await shellExecutors(lab, images)
    const attempts = await attackAll({ lab, shells, services, modules, isShort, say })
    const { free, left } = await settled(lab, before)
    watching.abort()
    return { attempts, owner: await observing, offer: lab.offer, free, left }
  } finally {
    watching.abort()
    await lab.dispose()
    await services.close()
    await images.close()
  }
}

interface Siege extends AbuseOptions {
  readonly lab: Lab
  readonly shells: readonly ShellExecutor[]
  readonly services: Services
  /** The ensembles of all modules, by the name of the attack. */
  readonly modules: ReadonlyMap<string, string>
}

/** Those that work on the provider; one more is an entry more. */
async function shellExecutors(lab: Lab, images: LabImages): Promise<readonly ShellExecutor[]> {
  const root = await layAbuseRoot()
  try {
    const image = await images.add('nunet-test/abuse:latest', root)
    const all: readonly ShellExecutor[] = [
      { kind: 'docker', image: ABUSE_IMAGE, process: containerProcess },
      { kind: 'oci', image, process: (allocation) => monitoredProcess(lab.provider.home, allocation) }
    ]
    return all.filter(({ kind }) => lab.executors.has(kind))
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

/** Of the interface of a container; empty when it has none. */
async function addressOf(pid: number | undefined): Promise<string> {
  const text = await printed('nsenter', '-t', String(pid ?? 0), '-n', 'ip', '-4', '-o', 'addr', 'show', 'eth0')
  return /inet ([0-9.]+)/.exec(text)?.[1] ?? ''
}

async function assembleAll(): Promise<ReadonlyMap<string, string>> {
  const ensembles = new Map<string, string>()
  for (const attack of WASM_ATTACKS) ensembles.set(attack.name, await wasmEnsemble(attack))
  return ensembles
}

async function attackAll(siege: Siege): Promise<readonly Attempt[]> {
  const { lab, shells, isShort, say } = siege
  const chosen = <T extends { readonly name: string }>(attacks: readonly T[]): readonly T[] =>
    isShort ? attacks.filter(({ name }) => SHORT.includes(name)) : attacks
  const attempts: Attempt[] = [...(await attackByNames(lab)), ...(await attackExecutors(join(lab.provider.home, 'none')))]
  say(`${attempts.length} attempts by names`)
  for (const executor of shells) {
    attempts.push(...(await probeAll(siege, executor)))
    say(`${attempts.length} attempts with the probes of ${executor.kind}`)
    const tasks = chosen(SHELL_ATTACKS).map((attack) => () => shellAttempt(siege, executor, attack))
    attempts.push(...(await inPairs(tasks, say)))
  }
  if (lab.executors.has('wasm')) {
    const tasks = chosen(WASM_ATTACKS).map((attack) => () => wasmAttempt(siege, attack))
    attempts.push(...(await inPairs(tasks, say)))
  }
  return attempts
}

/** Two at a time: each takes half of what is lent. */
function inPairs(tasks: readonly (() => Promise<Attempt>)[], say: (line: string) => void): Promise<Attempt[]> {
  return mapConcurrently(tasks, 2, async (task) => {
    const attempt = await task()
    say(`${attempt.isContained ? 'contained' : 'NOT CONTAINED'}  ${attempt.executor}: ${attempt.name}: ${attempt.evidence}`)
    return attempt
  })
}

/** All probes of one executor, with another job beside them. */
async function probeAll({ lab, services }: Siege, executor: ShellExecutor): Promise<readonly Attempt[]> {
  const script = `: > /secret-of-the-other-job; while :; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nother job\\n' | nc -l -p 8080; done`
  const other = await lab.deploy(shellEnsemble(executor, script, { cores: 0.1 }))
  try {
    await running(lab, other)
    const otherAddress = await addressOf(await executor.process(`${other}_node1.job`)())
    const around: Surroundings = {
      addresses: services.addresses,
      restPort: lab.provider.restPort,
      privatePort: services.port,
      hasMetadata: services.hasMetadata,
      otherJob: otherAddress === '' ? undefined : { address: otherAddress, port: 8080 },
      home: lab.provider.home
    }
    const asRoot = [...networkProbes(around), ...KERNEL_PROBES, ...neighbourProbes(around)]
    return [...(await probe(lab, executor, asRoot)), ...(await probe(lab, executor, USER_PROBES, '1000:1000'))]
  } finally {
    await endJob(lab, other)
  }
}

async function probe(lab: Lab, target: ShellTarget, probes: readonly Probe[], user?: string): Promise<readonly Attempt[]> {
  const script = `${probeScript(probes)}\nexit 0`
  const id = await lab.deploy(shellEnsemble(target, script, user === undefined ? {} : { user }))
  const { status, error } = await lab.ended(id, 240)
  const { stdout } = await lab.logs(id, 'node1.job')
  const said = readProbes(stdout)
  return probes.map(({ name, knownGap }, index) => {
    const text = said.get(index)
    return {
      name: user === undefined ? name : `${name} (user ${user})`,
      executor: target.kind,
      isContained: isMade(text) && !text.includes('ESCAPED'),
      evidence: brief(isMade(text) ? text : `it was not made: ${said.get(index) ?? `${status} ${error}`}`),
      ...(knownGap === undefined ? {} : { knownGap })
    }
  })
}

/** An attempt that was never made has shown nothing. */
function isMade(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== '' && !NOT_MADE.test(text)
}

async function shellAttempt({ lab }: Siege, executor: ShellExecutor, attack: ShellAttack): Promise<Attempt> {
  const { name, script, seconds, escaped, most = {}, knownGap } = attack
  const id = await lab.deploy(shellEnsemble(executor, script))
  const seen = await watchAttack(lab, id, executor.process(`${id}_node1.job`), seconds)
  const faults = [...faultsOf(seen, most), ...(escaped?.test(seen.stdout) ? [`it said ${brief(seen.stdout)}`] : [])]
  return {
    name,
    executor: executor.kind,
    isContained: faults.length === 0,
    evidence: brief(`${faults.length === 0 ? '' : `${faults.join('; ')} — `}${describe(seen)}`),
    ...(knownGap === undefined ? {} : { knownGap })
  }
}

async function wasmAttempt({ lab, modules }: Siege, attack: WasmAttack): Promise<Attempt> {
  const { name, seconds, refused, escaped, most = {} } = attack
  const id = await lab.deploy(modules.get(name) ?? '')
  const seen = await watchAttack(lab, id, moduleProcess(lab.provider.home, `${id}_node1.job`), seconds)
  const code = Number(
    /exit code (\d+)|code (\d+)/.exec(seen.end.error)?.[1] ?? (seen.end.status === 'Completed' ? 0 : Number.NaN)
  )
  const faults = [
    ...faultsOf(seen, most),
    ...(escaped?.test(seen.stdout) ? [`it said ${brief(seen.stdout)}`] : []),
    ...(refused !== undefined && !Number.isNaN(code) && !refused.includes(code) ? [`it ended with ${code}`] : [])
  ]
  return {
    name,
    executor: 'wasm',
    isContained: faults.length === 0,
    evidence: brief(`${faults.length === 0 ? '' : `${faults.join('; ')} — `}${describe(seen)}`)
  }
}

interface Seen {
  readonly used: Used | undefined
  readonly end: DeploymentStatus
  readonly stdout: string
  /** From the request to end; nothing when it ended by itself. */
  readonly stopSeconds: number | undefined
  readonly outputMiB: number
}

async function watchAttack(lab: Lab, id: string, find: FindProcess, seconds: number): Promise<Seen> {
  const watch = new AbortController()
  const watching = watchJob(find, watch.signal)
  await started(lab, id)
  const own = await lab.ended(id, seconds).catch(() => undefined) // it does not end by itself
  const outputMiB = await sizeOf(join(lab.provider.home, 'work', 'jobs', `${id}_node1.job`))
  watch.abort()
  const begun = performance.now()
  const end = own ?? (await endJob(lab, id))
  const stopSeconds = own === undefined ? (performance.now() - begun) / 1000 : undefined
  const { stdout } = await lab.logs(id, 'node1.job').catch(() => ({ stdout: '' })) // it was shut down before it said anything
  return { used: await watching, end, stdout, stopSeconds, outputMiB }
}

function faultsOf(
  { used, outputMiB }: Seen,
  most: { readonly cores?: number; readonly memoryMiB?: number; readonly processes?: number; readonly outputMiB?: number }
): readonly string[] {
  const over = (what: string, value: number | undefined, limit: number | undefined): string[] =>
    value !== undefined && limit !== undefined && value > limit ? [`${what} ${value.toFixed(1)}, at most ${limit}`] : []
  return [
    ...over('cores', used?.cores, most.cores),
    ...over('MiB of memory', used?.memoryMiB, most.memoryMiB),
    ...over('processes', used?.processes, most.processes),
    ...over('MiB of output', outputMiB, most.outputMiB)
  ]
}

function describe({ used, end, stopSeconds, stdout, outputMiB }: Seen): string {
  const figures =
    used === undefined
      ? []
      : [`${used.cores.toFixed(2)} cores`, `${used.memoryMiB.toFixed(0)} MiB`, `${used.processes} processes`]
  const stop =
    stopSeconds === undefined ? `ended by itself: ${end.status} ${end.error}` : `stopped in ${stopSeconds.toFixed(1)} s`
  return [...figures, `${outputMiB.toFixed(0)} MiB kept`, stop, stdout.slice(0, 60)].filter((part) => part !== '').join(', ')
}

const BEFORE_RUNNING: readonly string[] = ['Preparing', 'Generating', 'Committing', 'Provisioning']

async function started(lab: Lab, id: string): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (!BEFORE_RUNNING.includes((await lab.status(id)).status)) return
    await pause(200)
  }
}

async function running(lab: Lab, id: string): Promise<void> {
  await started(lab, id)
  const { status, error } = await lab.status(id)
  if (status !== 'Running') throw new Error(`a job does not run: ${status} ${error}`)
}

async function endJob(lab: Lab, id: string): Promise<DeploymentStatus> {
  await lab.deployer.nunet(['actor', 'cmd', '-c', 'user', '/dms/node/deployment/shutdown', '-i', id])
  return await lab.ended(id, END_LIMIT_SECONDS)
}

/** Services of the provider that are nobody's business. */
interface Services {
  readonly addresses: readonly string[]
  readonly port: number
  readonly hasMetadata: boolean
  close(): Promise<void>
}

const METADATA = '169.254.169.254'

async function openServices(): Promise<Services> {
  const service = await listen(0, '::', 'private service\n')
  const added = await run('ip', ['addr', 'add', `${METADATA}/32`, 'dev', 'lo']).then(
    () => true,
    () => false // not root, or it is there: then the real one is left alone
  )
  const metadata = added ? await listen(80, METADATA, 'cloud secret\n').catch(() => undefined) : undefined
  const address = service.address()
  return {
    addresses: Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ internal, address: own }) => !internal && !own.startsWith('fe80') && own !== METADATA)
      .map(({ address: own }) => own),
    port: typeof address === 'object' && address !== null ? address.port : 0,
    hasMetadata: metadata !== undefined,
    async close() {
      service.close()
      metadata?.close()
      if (added) await run('ip', ['addr', 'del', `${METADATA}/32`, 'dev', 'lo'])
    }
  }
}

async function listen(port: number, address: string, text: string): Promise<Server> {
  const server = createServer((_request, response) => response.end(text))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, resolve)
  })
  return server
}

function traces({ provider }: Lab): Promise<Traces> {
  return readTraces({ home: provider.home, peerId: provider.dms.peerId, daemon: provider.daemon?.pid })
}

async function settled(lab: Lab, before: Traces): Promise<Pick<AbuseReport, 'free' | 'left'>> {
  for (let second = 0; ; second += 1) {
    const [free, after] = await Promise.all([lab.free(), traces(lab)])
    const left = leftovers(before, after)
    const isBack = free.cores === lab.offer.cores && free.ram === lab.offer.ram && free.disk === lab.offer.disk
    if ((isBack && left.length === 0) || second === SETTLE_SECONDS) return { free, left }
    await pause(1000)
  }
}
