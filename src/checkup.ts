import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, gibibytes, mebibytes, millis, silentLogger, systemClock } from './base/index.ts'
import { type CheckReport, createLocalSystem, examine, type Subject } from './doctor/index.ts'
import { createDockerExecutor, defaultDockerSocket, describeDocker } from './executor/docker/index.ts'
import type { Executor, Probe, Workload, WorkloadGpu } from './executor/index.ts'
import { probeMicrovm } from './executor/microvm/index.ts'
import { probeOci } from './executor/oci/index.ts'
import { createWasmExecutor } from './executor/wasm/index.ts'
import { createHardwareProbe, type Gpu, type GpuVendor, type Machine } from './hardware/index.ts'
import { BUILT_IN_EXECUTORS, describePlugins, type PluginDescription, pluginPackages } from './plugins/index.ts'

/** What a checkup is told by its caller; the rest is this machine. */
export type CheckupOptions = Pick<Subject, 'config' | 'contextName' | 'home' | 'environment' | 'needsGpu' | 'clock'>

/**
 * Examines this machine: the second composition root, beside `daemon.ts`, which joins the checks with the hardware and the
 * executors that they ask. Loads no network; changes nothing.
 */
export async function checkMachine(options: CheckupOptions): Promise<readonly CheckReport[]> {
  const { environment, clock, home } = options
  return await examine({
    ...options,
    system: createLocalSystem(),
    machine: readMachine,
    executors: {
      dockerSocket: () => defaultDockerSocket(environment),
      docker: () => describeDocker(() => defaultDockerSocket(environment), clock),
      // only asked whether it works: it never makes this directory
      plugins: () => describeConfigured(options.config),
      oci: () => probeOci(ociRuntime(options.config)),
      microvm: () => probeMachines(options),
      wasm: () => createWasmExecutor({ directory: join(home, '.nunet', 'wasm'), clock, log: silentLogger }).probe()
    }
  })
}

function ociRuntime(loaded: CheckupOptions['config']): 'auto' | 'crun' | 'runc' {
  return 'config' in loaded ? loaded.config.executor.oci_runtime : 'auto'
}

async function probeMachines({ config, home }: CheckupOptions): Promise<Probe> {
  const { general, executor } = 'config' in config ? config.config : {}
  const guestDirectory = executor?.microvm_guest || join(general?.data_dir ?? join(home, 'nunet', 'data'), 'microvm', 'guest')
  return await probeMicrovm({ guestDirectory, acceleration: executor?.microvm_acceleration ?? 'auto' })
}

async function describeConfigured(loaded: CheckupOptions['config']): Promise<readonly PluginDescription[]> {
  if (!('config' in loaded)) return []
  const { plugins, general } = loaded.config
  return await describePlugins({
    names: plugins.packages,
    packages: pluginPackages(general.user_dir),
    builtIn: BUILT_IN_EXECUTORS
  })
}

/** What this machine has, with the disk that holds a path. */
export async function readMachine(diskPath: string): Promise<Machine> {
  return await createHardwareProbe({ diskPath, clock: systemClock }).capacity()
}

/** The graphics cards of this machine, with what is in use of them. */
export async function readGpus(): Promise<readonly Gpu[]> {
  return (await createHardwareProbe({ diskPath: tmpdir(), clock: systemClock }).capacity()).gpus
}

/** What a container showed of a graphics card. */
export interface GpuVerdict {
  readonly isUsable: boolean
  readonly output: string
}

const DRIVERS: Readonly<Record<GpuVendor, WorkloadGpu['vendor'] | undefined>> = {
  NVIDIA: 'nvidia',
  'AMD/ATI': 'amd',
  Intel: 'intel',
  Unknown: undefined
}

/** Runs a container that looks at a graphics card, through the executor that jobs use; nothing of it stays. */
export async function tryGpu(
  gpu: Gpu,
  image: string,
  { clock, environment }: { readonly clock: Clock; readonly environment: NodeJS.ProcessEnv }
): Promise<GpuVerdict> {
  const vendor = DRIVERS[gpu.vendor]
  if (vendor === undefined) return { isUsable: false, output: 'containers are given cards of NVIDIA, AMD and Intel only' }
  const look = vendor === 'nvidia' ? ['nvidia-smi', '-L'] : ['ls', '-l', ...gpu.devices]
  const executor = createDockerExecutor({
    nodeId: 'gpu-test',
    clock,
    log: silentLogger,
    socketPath: defaultDockerSocket(environment)
  })
  const directory = await mkdtemp(join(tmpdir(), 'nunet-gpu-test-'))
  try {
    return await runToEnd(executor, {
      id: `nunet-gpu-test-${randomUUID()}`,
      spec: { type: 'docker', image, entrypoint: [], cmd: look },
      limits: { cpuCores: 1, memory: gibibytes(1), disk: gibibytes(1), pids: 64 },
      directory,
      allowPrivileged: false,
      ports: [],
      gpus: [{ vendor, uuid: gpu.uuid, pciAddress: gpu.pciAddress, devices: gpu.devices }]
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function runToEnd(executor: Executor, workload: Workload): Promise<GpuVerdict> {
  const handle = await executor.start(workload)
  try {
    const exit = await executor.wait(handle, { signal: AbortSignal.timeout(GPU_TEST_LIMIT) })
    const pieces: Uint8Array[] = []
    for await (const { data } of executor.logs(handle)) pieces.push(data)
    const output = Buffer.concat(pieces).subarray(0, mebibytes(1)).toString('utf8')
    return { isUsable: exit.type === 'exited' && exit.code === 0, output }
  } finally {
    await executor.stop(handle, millis(0))
    await executor.remove(handle)
  }
}

/** A card whose driver hangs takes the container with it. */
const GPU_TEST_LIMIT = 60_000
