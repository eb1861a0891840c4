import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdir, open, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AbortOptions, type Bytes, bytes, type Clock, mebibytes, millis, programBuild, seconds } from '../../base/index.ts'
import { type Cgroups, cgroupName } from '../cgroup.ts'
import { ExecutorStartFailedError } from '../errors.ts'
import type { Workload } from '../executor.ts'
import { readStart, writeWhole } from '../files.ts'
import { type RunDescription, type RunFiles, ranOutOfMemory, readProcess, recordExit } from './run-files.ts'
import type { WasmSpec } from './spec.ts'

const WASM_PAGE = 65_536
/** For the supervisor itself, which only waits. */
const SUPERVISOR_HEAP_MIB = 64
/** What Node, V8 and the compiled code may use besides the module's own memory; as in runner.mjs, and a bit more for its last words. */
const RUNTIME_MEMORY = mebibytes(288)
const START_LIMIT = seconds(20)
const POLL = millis(10)
/** The kernel ends the module before the daemon when the machine runs out of memory. */
const OOM_SCORE = '1000'

/**
 * Puts the files of the run in place; a second time it replaces what an interrupted start left.
 *
 * The data directory is kept: what is in it is visible to the module.
 */
export async function prepareRun(files: RunFiles, workload: Workload, spec: WasmSpec, parts: RunParts): Promise<RunDescription> {
  const { module, logBytes, cgroups } = parts
  await mkdir(files.data, { recursive: true, mode: 0o700 })
  await rm(files.exit, { force: true }) // of a start that was interrupted and given up as lost
  await writeWhole(files.module, module)
  await placeFiles(files, workload)
  const memory = bytes(workload.limits.memory + RUNTIME_MEMORY)
  const description: RunDescription = {
    data: files.data,
    args: ['module.wasm', ...spec.args],
    environment: Object.fromEntries(spec.environment.map((variable) => splitVariable(variable))),
    memory: workload.limits.memory,
    disk: workload.limits.disk,
    logBytes,
    timeoutMs: spec.timeout ?? null,
    cpuTimeMs: spec.cpuTime ?? null,
    mounts: workload.mounts ?? [],
    cgroups: await cgroups.create(cgroupName(files.directory), { cpuCores: workload.limits.cpuCores, memory })
  }
  await writeWhole(files.description, JSON.stringify(description))
  return description
}

/** What a run is made of besides its description. */
export interface RunParts {
  readonly module: Uint8Array
  readonly logBytes: Bytes
  readonly cgroups: Cgroups
}

/** No module has run in the directory yet, so no link of its making can lead these elsewhere. */
async function placeFiles(files: RunFiles, { files: given = [] }: Workload): Promise<void> {
  for (const { path, content, mode } of given) {
    const place = join(files.data, path)
    await writeWhole(place, content)
    await chmod(place, mode)
  }
}

function splitVariable(variable: string): [string, string] {
  const at = variable.indexOf('=')
  return [variable.slice(0, at), variable.slice(at + 1)]
}

/** What a launch needs. */
export interface LaunchOptions extends AbortOptions {
  readonly clock: Clock
  readonly cgroups: Cgroups
}

/** A supervisor that runs. */
export interface Launch {
  /** Resolves once it has ended and how it ended is recorded; never rejects. */
  readonly ended: Promise<void>
}

/**
 * Starts the supervisor of a prepared run and resolves once it has taken the run over.
 *
 * The process has its own session, no connection to this one and an empty environment, so it goes on when the daemon dies.
 *
 * @throws ExecutorStartFailedError when it ends or says nothing within 20 seconds.
 */
export async function launchRun(files: RunFiles, run: RunDescription, options: LaunchOptions): Promise<Launch> {
  const { clock, cgroups } = options
  const child = await spawnRunner(files, run)
  const ended = signalOf(child)
    .then((signal) => recordSignal(files, signal, cgroups))
    .catch(() => undefined) // then the run counts as lost

  child.unref()
  await runnerReady(files, child, clock, options)
  await writeFile(`/proc/${child.pid}/oom_score_adj`, OOM_SCORE).catch(() => undefined) // a help, not a need
  return { ended }
}

function signalOf(child: ChildProcess): Promise<NodeJS.Signals | null> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(null))
    child.once('exit', (_code, signal) => resolve(signal))
  })
}

/** A supervisor that was killed from outside leaves no status; only its parent learns the signal. */
async function recordSignal(files: RunFiles, signal: NodeJS.Signals | null, cgroups: Cgroups): Promise<void> {
  if (signal === null) return
  await recordExit(files, { type: 'killed', signal, outOfMemory: await wasOutOfMemory(files, cgroups) })
}

/** Whether Node gave up because its memory was used up, or the kernel killed it because its group's was. */
async function wasOutOfMemory(files: RunFiles, cgroups: Cgroups): Promise<boolean> {
  return (await ranOutOfMemory(files)) || (await cgroups.oomKills(cgroupName(files.directory))) > 0
}

async function runnerReady(files: RunFiles, child: ChildProcess, clock: Clock, options: AbortOptions): Promise<void> {
  const deadline = clock.now() + START_LIMIT
  while ((await readProcess(files)) === undefined) {
    const hasEnded = child.exitCode !== null || child.signalCode !== null || child.pid === undefined
    if (hasEnded || clock.now() > deadline) {
      child.kill('SIGKILL')
      throw new ExecutorStartFailedError(`the supervisor of the module did not start: ${await lastWords(files)}`)
    }
    await clock.sleep(POLL, options)
  }
}

async function spawnRunner(files: RunFiles, run: RunDescription): Promise<ChildProcess> {
  const { args, env } = programBuild()?.form === 'executable' ? runnerInside(files, run) : runnerBeside(files, run)
  const output = await open(files.runner, 'a', 0o600)
  try {
    return spawn(process.execPath, args, {
      cwd: files.directory,
      detached: true,
      env,
      stdio: ['ignore', output.fd, output.fd]
    })
  } finally {
    await output.close()
  }
}

/** What the supervisor is started with. */
interface Runner {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

function runnerBeside(files: RunFiles, run: RunDescription): Runner {
  const runner = fileURLToPath(new URL('./runner.mjs', import.meta.url))
  const flags = [`--wasm-max-mem-pages=${pagesOf(run)}`, ...nodeFlags(files, [dirname(runner)], run)]
  return { args: [...flags, runner, files.directory], env: {} }
}

/**
 * In the single executable the supervisor is the program itself, told by its first argument (scripts/program/executable.cjs).
 * Such a program takes the options of Node only from this variable, and one of V8 not even there.
 */
function runnerInside(files: RunFiles, run: RunDescription): Runner {
  const options = nodeFlags(files, [], run).map((flag) => `"${flag.replace(/["\\]/g, '\\$&')}"`)
  return { args: ['__wasm-runner', String(pagesOf(run)), files.directory], env: { NODE_OPTIONS: options.join(' ') } }
}

/** The largest WebAssembly memory that is granted, in pages. */
function pagesOf({ memory }: RunDescription): number {
  return Math.min(Math.floor(memory / WASM_PAGE), WASM_PAGE)
}

function nodeFlags(files: RunFiles, programs: readonly string[], run: RunDescription): readonly string[] {
  const heap = `--max-old-space-size=${SUPERVISOR_HEAP_MIB}`
  return ['--no-warnings', heap, '--v8-pool-size=1', ...permissionFlags(files, programs, run)]
}

/**
 * Node's permission model, where this Node has it for WASI and the paths have none of its special characters.
 *
 * It binds the JavaScript of the supervisor only: Node's WASI does not ask it (tried), so `sandbox.mjs` guards the module.
 */
function permissionFlags(files: RunFiles, programs: readonly string[], run: RunDescription): readonly string[] {
  const known = process.allowedNodeEnvironmentFlags
  const main = ['--permission', '--experimental-permission'].find((name) => known.has(name))
  const mounts = run.mounts.map(({ source }) => source)
  const proc = ['/proc/self/stat', '/proc/self/fd', '/proc/sys/kernel/random/boot_id']
  const readable = [...programs, files.directory, files.data, ...mounts, ...proc]
  const byDescriptor = mounts.length === 0 ? [] : ['/proc/self/fd'] // how mounts.mjs reaches into directories
  const writable = [files.directory, ...mounts, ...byDescriptor, ...run.cgroups]
  if (main === undefined || !known.has('--allow-wasi') || [...readable, ...writable].some((path) => /[,*]/.test(path))) return []
  return [
    main,
    '--allow-wasi',
    '--allow-worker',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    ...writable.map((path) => `--allow-fs-write=${path}`)
  ]
}

async function lastWords(files: RunFiles): Promise<string> {
  const output = await readStart(files.runner, 1024)
  return output === undefined || output.length === 0 ? 'it said nothing' : output.toString('utf8').trim()
}
