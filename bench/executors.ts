import { execFile } from 'node:child_process'
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { assembleWat } from '../scripts/build-wasm.ts'
import { layBusyboxRoot } from '../scripts/lab/images.ts'
import { bytes, encodeBase64, type JsonValue, mapConcurrently, mebibytes, silentLogger, systemClock } from '../src/base/index.ts'
import type { Executor, Workload } from '../src/executor/index.ts'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, type Subject } from './support/compare.ts'
import { isBuilt, loadDms } from './support/dms.ts'
import { BENCH_IMAGE, docker, prepareImage, removeContainersOf, whyNoDocker } from './support/docker.ts'
import type { Scratch } from './support/scratch.ts'

const run = promisify(execFile)
const ROUNDS = 7
/** Jobs in one measurement of a rate, and how many of them at a time. */
const BATCH = 12
const AT_ONCE = 4
/** What a job prints in the measurement of output. */
const OUTPUT_MIB = 32
const NODE = 'nunet-bench-executors'
const WASM = new URL('../test/fixtures/wasm/exit3.wat', import.meta.url)

/** One executor, what it runs, and what else would run the same. */
interface Contender {
  readonly executor: Executor
  /** Ends at once. */
  readonly nothing: JsonValue
  /** Prints so many MiB of lines, where it has a shell. */
  readonly output?: JsonValue
  readonly plain: {
    readonly name: string
    once(): Promise<void>
    output?(): Promise<void>
  }
}

const CONTENDERS: Readonly<Record<string, (scratch: Scratch) => Promise<Contender>>> = {
  docker: dockerOf,
  oci: ociOf,
  wasm: wasmOf
}
const PRINT = [
  'sh',
  '-c',
  `yes 'a line of output that is neither short nor long, as programs print' | head -c ${OUTPUT_MIB * 2 ** 20}`
]

/** Start to end of a job that does nothing, alone and in a row of many; and how long much output takes. */
export const executorBenchmarks: readonly Benchmark[] = Object.entries(CONTENDERS).map(([kind, create]) => ({
  name: `${kind}-jobs`,
  title: `Jobs of the executor ${kind}: from start to end, to the same without the DMS`,
  unit: 'ms',
  async available() {
    const built = await isBuilt()
    if (built !== true) return built
    if (kind === 'docker') return await whyNoDocker()
    const { available, ...rest } = await (await loadDms()).oci.probeOci('auto')
    return kind === 'wasm' || available ? true : 'reason' in rest ? rest.reason : 'it does not work here'
  },
  async run(scratch): Promise<Outcome> {
    const contender = await create(scratch)
    const jobs = createJobs(scratch, contender.executor)
    const ours: Subject[] = [
      { name: 'one job', measure: () => timed(() => jobs.run(contender.nothing)) },
      {
        name: `each of ${BATCH} jobs, ${AT_ONCE} at a time`,
        measure: async () => (await timed(() => jobs.runMany(contender.nothing))) / BATCH
      }
    ]
    const plain: Subject = { name: contender.plain.name, measure: () => timed(() => contender.plain.once()) }
    const comparison = await compare(plain, ours, ROUNDS)
    const notes = [await describeOutput(contender, jobs)]
    return { ...comparison, notes: notes.filter((note) => note !== '') }
  }
}))

/** Runs jobs to their end and takes them away again. */
interface Jobs {
  run(spec: JsonValue): Promise<number>
  runMany(spec: JsonValue): Promise<void>
}

function createJobs({ directory }: Scratch, executor: Executor): Jobs {
  let count = 0
  async function one(spec: JsonValue): Promise<number> {
    count += 1
    const id = `${NODE}-${process.pid}-${executor.kind}-${count}`
    const place = join(directory, id)
    await mkdir(place, { mode: 0o700 })
    const limits = { cpuCores: 1, memory: mebibytes(64), disk: mebibytes(64), pids: 64 }
    const workload: Workload = { id, spec, limits, directory: place, allowPrivileged: false, ports: [] }
    const handle = await executor.start(workload)
    await executor.wait(handle)
    let size = 0
    for await (const { data } of executor.logs(handle)) size += data.length
    await executor.remove(handle)
    await rm(place, { recursive: true, force: true })
    return size
  }
  return {
    run: one,
    runMany: async (spec) => void (await mapConcurrently(Array.from({ length: BATCH }), AT_ONCE, () => one(spec)))
  }
}

async function describeOutput({ output, plain }: Contender, jobs: Jobs): Promise<string> {
  if (output === undefined || plain.output === undefined) return ''
  const [ours, theirs] = [await timed(() => jobs.run(output)), await timed(() => plain.output?.() ?? Promise.resolve())]
  const rate = (milliseconds: number): string => `${((OUTPUT_MIB / milliseconds) * 1000).toFixed(0)} MiB/s`
  return `a job that prints ${OUTPUT_MIB} MiB, with reading them: ${rate(ours)}, ${plain.name} of the same ${rate(theirs)}`
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

async function dockerOf(scratch: Scratch): Promise<Contender> {
  await prepareImage(scratch)
  scratch.defer(() => removeContainersOf(NODE))
  const { docker: driver } = await loadDms()
  return {
    executor: driver.createDockerExecutor({ nodeId: NODE, clock: systemClock, log: silentLogger }),
    nothing: { image: BENCH_IMAGE, cmd: ['true'] },
    output: { image: BENCH_IMAGE, cmd: PRINT },
    plain: {
      name: 'docker run --rm --network none',
      once: async () => void (await docker('run', '--rm', '--network', 'none', BENCH_IMAGE, 'true')),
      output: async () => void (await quietly('docker', 'run', '--rm', '--network', 'none', BENCH_IMAGE, ...PRINT))
    }
  }
}

async function ociOf(scratch: Scratch): Promise<Contender> {
  const root = await layBusyboxRoot()
  scratch.defer(() => rm(root, { recursive: true, force: true }))
  const { oci } = await loadDms()
  const config = { entrypoint: [], cmd: [], environment: [], workingDirectory: '/', user: '' }
  const images = { prepare: async () => ({ config, lowerDirectories: [root] }), release: async () => undefined }
  const bundle = await prepareBundle(scratch, root)
  let count = 0
  const runc = async (config: string): Promise<void> => {
    count += 1
    await copyFile(join(bundle, config), join(bundle, 'config.json'))
    await quietly('runc', '--root', join(scratch.directory, 'runc'), 'run', '--bundle', bundle, `${NODE}-${process.pid}-${count}`)
  }
  return {
    executor: oci.createOciExecutor({ directory: join(scratch.directory, 'oci'), images, clock: systemClock, log: silentLogger }),
    nothing: { image: 'busybox', cmd: ['true'] },
    output: { image: 'busybox', cmd: PRINT },
    plain: { name: 'runc run of a prepared bundle', once: () => runc('nothing.json'), output: () => runc('output.json') }
  }
}

/** The bundle that `runc spec` describes, with our program in it. */
async function prepareBundle({ directory }: Scratch, root: string): Promise<string> {
  const bundle = join(directory, 'bundle')
  await mkdir(bundle)
  await symlink(root, join(bundle, 'rootfs'))
  await run('runc', ['spec', '--bundle', bundle])
  const spec = JSON.parse(await readFile(join(bundle, 'config.json'), 'utf8')) as { process: object; root: object }
  for (const [name, args] of [
    ['nothing.json', ['true']],
    ['output.json', PRINT]
  ] as const) {
    const process = { ...spec.process, terminal: false, args }
    await writeFile(join(bundle, name), JSON.stringify({ ...spec, process, root: { path: root, readonly: true } }))
  }
  return bundle
}

async function wasmOf(scratch: Scratch): Promise<Contender> {
  const module = Buffer.from(await assembleWat(WASM))
  const [path, program] = [join(scratch.directory, 'nothing.wasm'), join(scratch.directory, 'wasi.mjs')]
  await writeFile(path, module)
  await writeFile(program, WASI_PROGRAM)
  const { wasm } = await loadDms()
  return {
    executor: wasm.createWasmExecutor({ directory: join(scratch.directory, 'wasm'), clock: systemClock, log: silentLogger }),
    nothing: { module: encodeBase64(module) },
    plain: {
      name: 'node with node:wasi',
      once: () => quietly(process.execPath, '--no-warnings', program, path).catch(() => undefined) // the module ends with 3
    }
  }
}

const WASI_PROGRAM = `import { readFile } from 'node:fs/promises'
import { WASI } from 'node:wasi'
const wasi = new WASI({ version: 'preview1', args: ['module'], env: {}, returnOnExit: false })
const module = await WebAssembly.compile(await readFile(process.argv[2]))
wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()))
`

async function quietly(program: string, ...args: readonly string[]): Promise<void> {
  await run(program, [...args], { maxBuffer: bytes(2 ** 28) })
}
