import { errorMessage } from '../../base/index.ts'
import type { Action } from '../command.ts'
import { GpuNotUsableError, NoGpuError } from '../errors.ts'
import { printJson } from '../output.ts'
import { withProgress } from '../progress.ts'
import { loadSettings } from '../settings.ts'

const MIB = 2 ** 20

/** What is shown of a graphics card; sizes in bytes. */
export interface GpuFacts {
  readonly index: number
  readonly vendor: string
  readonly model: string
  readonly uuid: string
  readonly pciAddress: string
  readonly vram: number
  readonly vramUsed?: number
}

/** `nunet gpu list`: a line for each card in the form that clients read (D §2.6, E §2.1). */
export const listGpus: Action = async ({ flags }, io) => {
  await loadSettings(flags, io) // a configuration that is broken is said by every command
  const { readGpus } = await import('../../checkup.ts')
  const gpus = await withProgress(io, { text: 'asking the drivers' }, readGpus)
  if (flags.isOn('json')) return await printJson(io, { gpus: gpus.map(toJson) })
  if (gpus.length === 0) throw new NoGpuError('no gpus found')
  await io.stdout.write(`GPU Details:\n${gpus.map(describeGpu).join('')}`)
}

/** The line of one card; sizes in MiB, which the form calls MB as the drivers' tools do. */
export function describeGpu({ model, vram, vramUsed, vendor, pciAddress, index }: GpuFacts): string {
  const [free, used] = vramUsed === undefined ? ['unknown', 'unknown'] : [megabytes(vram - vramUsed), megabytes(vramUsed)]
  return `Model: ${model}, Total VRAM: ${megabytes(vram)}, Free VRAM: ${free}, Used VRAM: ${used}, Vendor: ${vendor}, PCI Address: ${pciAddress}, Index: ${index}\n`
}

function megabytes(size: number): string {
  return `${Math.round(Math.max(0, size) / MIB)} MB`
}

function toJson({ index, vendor, model, uuid, pciAddress, vram, vramUsed }: GpuFacts) {
  return { index, vendor, model, uuid, pci_address: pciAddress, vram, ...(vramUsed === undefined ? {} : { vram_used: vramUsed }) }
}

/** `nunet gpu test`: fails when a card cannot be used. */
export const testGpus: Action = async ({ flags }, io) => {
  await loadSettings(flags, io)
  const { readGpus, tryGpu } = await import('../../checkup.ts')
  const wanted = flags.number('index')
  const gpus = (await readGpus()).filter(({ index }) => wanted === undefined || index === wanted)
  if (gpus.length === 0) throw new NoGpuError(wanted === undefined ? 'no gpus found' : `there is no gpu ${wanted}`)
  const failed: number[] = []
  for (const gpu of gpus) {
    const text = `trying gpu ${gpu.index}`
    const verdict = await withProgress(io, { text }, () => tryGpu(gpu, flags.text('image') ?? '', io)).catch(
      (error: unknown) => ({
        isUsable: false,
        output: errorMessage(error)
      })
    )
    if (!verdict.isUsable) failed.push(gpu.index)
    const said = verdict.output
      .trim()
      .split('\n')
      .slice(0, 20)
      .map((line) => `  ${line}\n`)
    await io.stdout.write(
      `GPU ${gpu.index} (${gpu.model}): ${verdict.isUsable ? 'usable in containers' : 'not usable'}\n${said.join('')}`
    )
  }
  if (failed.length > 0) throw new GpuNotUsableError(`containers cannot use gpu ${failed.join(', ')}`)
}
