import type { WorkloadGpu } from '../../executor/index.ts'
import type { Gpu, HardwareProbe } from '../../hardware/index.ts'
import { deviceOf, type GpuShare, vendorWord } from '../resources/index.ts'
import { MissingCardError } from './errors.ts'

/**
 * The cards behind shares, as an executor gives them to a workload.
 *
 * How much of a card's memory a job uses is counted when it is promised and not enforced by the hardware.
 *
 * @throws MissingCardError for a card that the machine no longer has, or that no executor can pass on.
 */
export async function workloadGpus(
  shares: readonly GpuShare[],
  hardware: Pick<HardwareProbe, 'capacity'>
): Promise<readonly WorkloadGpu[]> {
  if (shares.length === 0) return []
  const { gpus } = await hardware.capacity()
  return shares.map(({ device }) => {
    const card = gpus.find((each) => deviceOf(each) === device)
    if (card === undefined) throw new MissingCardError(`the graphics card ${device} is no longer in this machine`)
    return toWorkloadGpu(card)
  })
}

function toWorkloadGpu({ vendor, model, uuid, pciAddress, devices }: Gpu): WorkloadGpu {
  const word = vendorWord(vendor)
  if (word !== 'nvidia' && word !== 'amd' && word !== 'intel') {
    throw new MissingCardError(`jobs cannot use the graphics card ${model} of ${vendor}`)
  }
  return { vendor: word, ...(uuid === '' ? {} : { uuid }), pciAddress, devices }
}
