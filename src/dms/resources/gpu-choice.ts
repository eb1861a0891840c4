import { type Bytes, bytes, err, ok, type Result } from '../../base/index.ts'
import type { Gpu } from '../../hardware/index.ts'
import { formatBytes } from './amounts.ts'
import { deviceOf, type GpuShare, vramOf } from './gpus.ts'

/** One graphics card that is asked for; what is `''`, or a `vram` of 0, puts no condition. */
export interface GpuNeed {
  readonly vendor: string
  readonly model: string
  readonly uuid: string
  readonly pciAddress: string
  /** 0: all that is lent of a card, which nobody else uses then. */
  readonly vram: Bytes
}

/** The cards of a machine, what is lent of them and what is free of that. */
export interface GpuStock {
  readonly cards: readonly Gpu[]
  readonly lent: readonly GpuShare[]
  readonly free: readonly GpuShare[]
}

/**
 * Finds a card for each need, no card twice, by vendor, model, identity and memory (C §15.1, 2).
 *
 * A choice is found whenever there is one, and cards that fit most closely are taken first, so that large ones stay free for
 * those who need them. A share of a card that the machine no longer has is never chosen.
 *
 * @returns one share per need in the order of the needs, or what the first need without a card lacks.
 */
export function chooseGpus(needs: readonly GpuNeed[], { cards, lent, free }: GpuStock): Result<readonly GpuShare[], string> {
  const offered = cards
    .map((card) => ({ card, device: deviceOf(card), lent: vramOf(lent, deviceOf(card)), free: vramOf(free, deviceOf(card)) }))
    .filter(({ lent }) => lent > 0)
    .sort((a, b) => a.free - b.free || a.card.index - b.card.index)
  const takenBy = new Map<string, number>()

  /** Gives a card to a need, moving another need to another card where that helps. */
  function assign(index: number, need: GpuNeed, seen: Set<string>): boolean {
    for (const { device } of offered.filter((card) => isFit(need, card))) {
      if (seen.has(device)) continue
      seen.add(device)
      const holder = takenBy.get(device)
      const other = holder === undefined ? undefined : needs[holder]
      if (holder !== undefined && other !== undefined && !assign(holder, other, seen)) continue
      takenBy.set(device, index)
      return true
    }
    return false
  }

  for (const [index, need] of needs.entries()) {
    if (!assign(index, need, new Set())) return err(`${describeNeed(need)} wanted, ${describeFree(offered)} free`)
  }
  const shares = [...takenBy].map(([device, index]): readonly [number, GpuShare] => {
    const vram = needs[index]?.vram ?? 0
    return [index, { device, vram: bytes(vram === 0 ? vramOf(lent, device) : vram) }]
  })
  return ok(shares.sort(([a], [b]) => a - b).map(([, share]) => share))
}

interface Offered {
  readonly card: Gpu
  readonly lent: number
  readonly free: number
}

function isFit({ vendor, model, uuid, pciAddress, vram }: GpuNeed, { card, lent, free }: Offered): boolean {
  if (vendor !== '' && vendorWord(vendor) !== vendorWord(card.vendor)) return false
  if (model !== '' && !hasWords(card.model, model)) return false
  if (uuid !== '' && uuid.toLowerCase() !== card.uuid.toLowerCase()) return false
  if (pciAddress !== '' && pciAddress.toLowerCase() !== card.pciAddress.toLowerCase()) return false
  return vram === 0 ? free === lent : vram <= free
}

/** One word per vendor for the ways in which it is written; `Intel Corporation` contains `ATI`, so that is looked for last (C §4.1). */
export function vendorWord(text: string): string {
  const upper = text.toUpperCase()
  if (upper.includes('NVIDIA')) return 'nvidia'
  if (upper.includes('INTEL')) return 'intel'
  return upper.includes('AMD') || upper.split(/[^A-Z]/).includes('ATI') ? 'amd' : upper.toLowerCase()
}

/** Whether the words of `wanted` follow each other in `model`: `RTX 3090` is in `NVIDIA GeForce RTX 3090`, `T4` not in `T400`. */
function hasWords(model: string, wanted: string): boolean {
  const words = (text: string): string =>
    ` ${text
      .toLowerCase()
      .split(/[^a-z0-9]+/)
      .filter(Boolean)
      .join(' ')} `
  return words(model).includes(words(wanted))
}

function describeNeed({ vendor, model, uuid, pciAddress, vram }: GpuNeed): string {
  const which = [vendor, model, uuid, pciAddress].filter((text) => text !== '').map((text) => text.slice(0, 128))
  const memory = vram === 0 ? 'all of its memory' : formatBytes(vram)
  return `a graphics card${which.length === 0 ? '' : ` ${which.join(' ')}`} with ${memory}`
}

function describeFree(offered: readonly Offered[]): string {
  if (offered.length === 0) return 'none'
  return offered.map(({ card, free }) => `${formatBytes(free)} of ${card.model}`).join(', ')
}
