import type { Gpu, Machine } from '../../hardware/index.ts'
import { ok, problem, showBytes, skipped, valuesOf, warning } from '../findings.ts'
import type { Check, Finding, Subject, System } from '../types.ts'
import { nearestExisting } from './paths.ts'

/** What NuNet asks of a machine that is lent (D §7). */
export interface Requirements {
  readonly clockHz: number
  readonly memory: number
  /** Of one graphics card. */
  readonly vram: number
  /** Free. */
  readonly disk: number
  readonly megabitsPerSecond: number
}

const GB = 1e9

/** Least and recommended figures for machines without and with graphics cards (D §7). */
export const REQUIREMENTS = {
  cpu: {
    least: { clockHz: 2e9, memory: 4 * GB, vram: 0, disk: 10 * GB, megabitsPerSecond: 4 },
    recommended: { clockHz: 3.5e9, memory: 8 * GB, vram: 0, disk: 20 * GB, megabitsPerSecond: 10 }
  },
  gpu: {
    least: { clockHz: 3e9, memory: 8 * GB, vram: 4 * GB, disk: 50 * GB, megabitsPerSecond: 50 },
    recommended: { clockHz: 4e9, memory: 16 * GB, vram: 8 * GB, disk: 100 * GB, megabitsPerSecond: 100 }
  }
} as const satisfies Readonly<Record<string, Readonly<Record<'least' | 'recommended', Requirements>>>>

/** A machine sold as "4 GB" shows less: firmware, kernel and rounding take their part. */
const TOLERANCE = 0.93

/** Less is what processors with graphics inside take of the memory of the machine. */
const LEAST_CARD = 2 * GB

/** What was measured. */
export interface HardwareFacts {
  readonly machine: Machine
  /** Bytes that can still be written; missing where unknown. */
  readonly freeDisk?: number
  readonly diskPath: string
  /** Speeds of the network cards that are connected, in Mbit/s, by name. */
  readonly links: Readonly<Record<string, number>>
  /** Whether the requirements for graphics cards were asked for. */
  readonly needsGpu: boolean
}

/** Compares the machine with the requirements. */
export const hardware: Check = {
  id: 'hardware',
  title: 'Hardware',
  run: async (subject) => judgeHardware(await readHardware(subject))
}

/** Without a usable configuration the disk of the home directory is measured. */
async function readHardware(subject: Subject): Promise<HardwareFacts> {
  const { system, needsGpu } = subject
  const wanted = valuesOf(subject)?.general.work_dir ?? subject.home
  const diskPath = await nearestExisting(system, wanted)
  const space = await system.space(diskPath)
  return {
    machine: await subject.machine(diskPath),
    ...(space === undefined ? {} : { freeDisk: space.free }),
    diskPath: wanted,
    links: await readLinks(system),
    needsGpu
  }
}

/** Virtual cards have no device below them; a card without a cable says -1 or cannot be read. */
async function readLinks(system: System): Promise<Readonly<Record<string, number>>> {
  const links: Record<string, number> = {}
  for (const name of (await system.names('/sys/class/net')) ?? []) {
    if ((await system.status(`/sys/class/net/${name}/device`)) === undefined) continue
    const speed = Number((await system.text(`/sys/class/net/${name}/speed`))?.trim())
    if (speed > 0) links[name] = speed
  }
  return links
}

/** Pure: the same facts give the same findings. */
export function judgeHardware(facts: HardwareFacts): readonly Finding[] {
  const { machine, needsGpu } = facts
  const isGpu = needsGpu || machine.gpus.some(isForJobs)
  const { least, recommended } = isGpu ? REQUIREMENTS.gpu : REQUIREMENTS.cpu
  return [
    ok('requirements', `measured against those for machines ${isGpu ? 'with graphics cards' : 'without graphics cards'}`),
    judgeClock(machine.cpu, least.clockHz, recommended.clockHz),
    judgeSize('memory', machine.memory, least.memory, recommended.memory, 'Jobs get what is left after the system: add memory.'),
    judgeDisk(facts, least.disk, recommended.disk),
    ...judgeGpus(machine, isGpu, least.vram, recommended.vram),
    judgeNetwork(facts.links, least.megabitsPerSecond, recommended.megabitsPerSecond)
  ]
}

function judgeClock({ clockHz, cores, model }: Machine['cpu'], least: number, recommended: number): Finding {
  const name = model === '' ? '' : ` (${model})`
  if (clockHz === 0) return skipped('processor', `${cores} cores${name}; the kernel does not tell their clock`)
  const found = `${cores} × ${giga(clockHz)} = ${giga(cores * clockHz)}${name}`
  if (clockHz >= recommended * TOLERANCE) return ok('processor', found)
  if (clockHz >= least * TOLERANCE) {
    return warning('processor', `${found}, below the recommended ${giga(recommended)}`, {
      advice: 'Works; jobs that are paid by time take longer here than elsewhere.'
    })
  }
  return problem('processor', `${found}, below the least clock of ${giga(least)}`, {
    advice: 'Look whether the power settings of the firmware or the plan of your provider hold it back.',
    kind: 'exhausted'
  })
}

function judgeDisk({ freeDisk, diskPath }: HardwareFacts, least: number, recommended: number): Finding {
  if (freeDisk === undefined) return skipped('free disk', `the file system of ${diskPath} does not tell its size`)
  const advice = `Make room, or move jobs to a larger disk with: nunet config set general.work_dir <path>`
  return judgeSize('free disk', freeDisk, least, recommended, advice, ` at ${diskPath}`)
}

function judgeSize(subject: string, size: number, least: number, recommended: number, advice: string, where = ''): Finding {
  const found = `${showBytes(size)}${where}`
  if (size >= recommended * TOLERANCE) return ok(subject, found)
  if (size >= least * TOLERANCE) {
    return warning(subject, `${found}, below the recommended ${recommended / GB} GB`, { advice })
  }
  return problem(subject, `${found}, below the least of ${least / GB} GB`, { advice, kind: 'exhausted' })
}

function judgeGpus({ gpus }: Machine, isGpu: boolean, least: number, recommended: number): readonly Finding[] {
  const builtIn = gpus.filter((gpu) => !isForJobs(gpu)).map(nameOf)
  const found = gpus.filter(isForJobs).map((gpu) => judgeGpu(gpu, least, recommended))
  return [
    ...found,
    ...(builtIn.length === 0 ? [] : [skipped('built-in graphics', `${builtIn.join(', ')}; too little memory for jobs`)]),
    ...(isGpu && found.length === 0 ? [noGpu()] : [])
  ]
}

/** Cards of NVIDIA count also when their memory cannot be told; graphics that share the memory of the machine do not. */
function isForJobs({ vendor, vram }: Gpu): boolean {
  return vendor === 'NVIDIA' || vram >= LEAST_CARD
}

function judgeGpu({ index, vendor, model, vram }: Gpu, least: number, recommended: number): Finding {
  const subject = `graphics card ${index}`
  if (vram > 0)
    return judgeSize(
      subject,
      vram,
      least,
      recommended,
      'Jobs that need more will not come here.',
      ` on ${nameOf({ vendor, model })}`
    )
  return warning(subject, `${nameOf({ vendor, model })}; its memory cannot be told`, {
    advice: 'Install the driver of the vendor with its tool nvidia-smi; a card whose memory is unknown is not lent.',
    command: 'nvidia-smi'
  })
}

/** Drivers begin the name of a model with that of its maker, lists of devices do not. */
function nameOf({ vendor, model }: Pick<Gpu, 'vendor' | 'model'>): string {
  return model.toLowerCase().startsWith(vendor.toLowerCase()) ? model : `${vendor} ${model}`
}

function noGpu(): Finding {
  return problem('graphics card', 'none found', {
    advice: 'Install the driver of the card; in a virtual machine, pass the card through.',
    command: 'lspci -nn | grep -Ei "vga|3d|display"',
    kind: 'unavailable'
  })
}

function judgeNetwork(links: HardwareFacts['links'], least: number, recommended: number): Finding {
  const shown = Object.entries(links).map(([name, speed]) => `${name} ${speed} Mbit/s`)
  const link = shown.length === 0 ? '' : `; link: ${shown.join(', ')}`
  return skipped('internet speed', `not measured${link}; NuNet asks for ${least} Mbit/s, better ${recommended}`)
}

function giga(hertz: number): string {
  return `${Number((hertz / 1e9).toFixed(2))} GHz`
}
