import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createMachines, eventually, type TestMachine, type TestMachines } from '../../test/support/machine.ts'

const run = promisify(execFile)

/** How a deployment stands, as its owner is told. */
export interface DeploymentStatus {
  readonly status: string
  readonly error: string
  readonly events: readonly { readonly text: string }[]
}

/** What a machine lends. */
export interface Lent {
  readonly cores: number
  readonly ram: number
  readonly disk: number
}

/** A machine that deploys and one that lends, both real daemons of the built program on this machine. */
export interface Lab {
  readonly deployer: TestMachine
  readonly provider: TestMachine
  /** What the provider has lent, to the byte. */
  readonly offer: Lent
  /** Kinds of executors that work on the provider. */
  readonly executors: ReadonlySet<string>
  /** Deploys an ensemble and resolves with its id. */
  deploy(ensemble: string): Promise<string>
  status(id: string): Promise<DeploymentStatus>
  /** Waits until it is over, whatever became of it. */
  ended(id: string, seconds: number): Promise<DeploymentStatus>
  /** The whole output of an allocation, as it was collected on the deployer. */
  logs(id: string, allocation: string): Promise<{ readonly stdout: string; readonly stderr: string; readonly directory: string }>
  /** What of the offer is free now. */
  free(): Promise<Lent>
  /** Starts a daemon again that was ended. */
  restart(machine: TestMachine): Promise<void>
  /** Connects the two, which a restart of either ends. */
  connect(): Promise<void>
  dispose(): Promise<void>
}

const OVER: readonly string[] = ['Completed', 'Failed']

/** What a lab is made with. */
export interface LabOptions {
  /** Cores that the provider lends. */
  readonly cores: number
  /** Share of the memory of this machine that it lends. */
  readonly memoryShare: number
  readonly diskGiB: number
  /** From where the provider fetches images although it is on loopback. */
  readonly registry?: string
}

/** Opens a lab; the caller disposes of it. */
export async function openLab(options: LabOptions): Promise<Lab> {
  const machines = await createMachines()
  try {
    return await furnish(machines, options)
  } catch (error) {
    await machines.dispose()
    throw error
  }
}

async function furnish(machines: TestMachines, { cores, memoryShare, diskGiB, registry }: LabOptions): Promise<Lab> {
  const [deployer, provider] = [await machines.create('deployer'), await machines.create('provider')]
  await Promise.all([machines.trust(provider, deployer), machines.trust(deployer, provider)])
  if (registry !== undefined) {
    await provider.succeed('config', 'set', 'image.insecure_registries', JSON.stringify([registry]))
  }
  const settings = dockerSettings()
  await Promise.all([deployer.start(settings), provider.start(settings)])
  const { Resources } = await provider.command<SpecReply>('/dms/node/hardware/spec')
  const ram = ((Resources.ram.size / 2 ** 30) * memoryShare).toFixed(1)
  const amounts = ['--cpu', String(cores), '--ram', ram, '--disk', String(diskGiB), '--no-gpu']
  await provider.command('/dms/node/onboarding/onboard', ...amounts)
  let count = 0

  const status = (id: string) => deployer.command<DeploymentStatus>('/dms/node/deployment/status', '-i', id)
  const lab = {
    deployer,
    provider,
    async deploy(ensemble: string) {
      count += 1
      const name = `job-${count}.yaml`
      await writeFile(join(deployer.home, name), ensemble)
      const args = ['/dms/node/deployment/new', '-t', '90s', '-f', name] as const
      return (await deployer.command<{ readonly EnsembleID: string }>(...args)).EnsembleID
    },
    status,
    ended: (id: string, seconds: number) =>
      eventually(`the end of ${id}`, seconds, async () => {
        const current = await status(id)
        return OVER.includes(current.status) ? current : undefined
      }),
    async logs(id: string, allocation: string) {
      const args = ['/dms/node/deployment/logs', '-i', id, '-a', allocation] as const
      const { stdout, stderr, LogsWrittenTo } = await deployer.command<LogsReply>(...args)
      return { stdout, stderr, directory: LogsWrittenTo }
    },
    async free(): Promise<Lent> {
      const reply = await provider.command<FreeReply>('/dms/node/resources/free')
      const { cpu, ram: memory, disk } = reply.Resources
      return { cores: cpu.cores, ram: memory.size, disk: disk.size }
    },
    async connect() {
      const { listen_addr } = await provider.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
      await deployer.command('/dms/node/peers/connect', '--address', listen_addr.split(', ')[0] ?? '')
    },
    restart: (machine: TestMachine) => machine.start(settings),
    dispose: () => machines.dispose()
  }
  await lab.connect()
  return { ...lab, offer: await lab.free(), executors: await workingExecutors(provider) }
}

/** Another Docker than that of the machine, where the caller has one. */
function dockerSettings(): Readonly<Record<string, string>> {
  const host = process.env['DOCKER_HOST']
  return host === undefined ? {} : { DOCKER_HOST: host }
}

interface SpecReply {
  readonly Resources: { readonly ram: { readonly size: number } }
}

interface FreeReply {
  readonly Resources: {
    readonly cpu: { readonly cores: number }
    readonly ram: { readonly size: number }
    readonly disk: { readonly size: number }
  }
}

interface LogsReply {
  readonly stdout: string
  readonly stderr: string
  readonly LogsWrittenTo: string
}

async function workingExecutors(provider: TestMachine): Promise<ReadonlySet<string>> {
  const reply =
    await provider.command<
      Readonly<Record<string, { readonly executors: readonly { readonly name: string; readonly available: boolean }[] }>>
    >('/dms/node/status')
  const executors = reply[provider.dms.peerId]?.executors ?? []
  return new Set(executors.filter(({ available }) => available).map(({ name }) => name))
}

/** Runs a program of this machine and resolves with what it prints; nothing when it fails. */
export async function printed(program: string, ...args: readonly string[]): Promise<string> {
  return await run(program, [...args], { maxBuffer: 2 ** 24 }).then(
    ({ stdout }) => stdout,
    () => ''
  )
}
