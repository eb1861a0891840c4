import { bytes, err, ok, type Result } from '../../base/index.ts'
import type { Gpu } from '../../hardware/index.ts'
import { deviceOf, formatBytes, type GpuShare } from '../resources/index.ts'
import { clamp, isWithin, LARGEST_SHARE, type Range, SMALLEST_SHARE } from './limits.ts'

/** What an owner lends of one card, which is named by its index or by what it is known by. */
export interface GpuOffer {
  readonly card: number | string
  readonly vram: number
}

const GIB = 2 ** 30

/** Reads `<index>:<GiB>`, as clients name cards (C §6.1). */
export function parseGpuOffer(text: string): Result<GpuOffer, string> {
  const [, index, size] = /^(\d{1,3}):(\d{1,6}(?:\.\d{1,9})?)$/.exec(text) ?? []
  if (index === undefined || size === undefined) {
    return err(`graphics card ${JSON.stringify(text)} must be <index>:<GiB> such as 0:7.5`)
  }
  return ok({ card: Number(index), vram: Math.round(Number(size) * GIB) })
}

/** What may be lent of a card: 10–90 % of its memory (C §6.1). */
export function gpuRange({ vram }: Pick<Gpu, 'vram'>): Range {
  return { min: vram * SMALLEST_SHARE, max: vram * LARGEST_SHARE }
}

/**
 * The shares that an offer is about, cut to the limits where they are within the tolerance; else everything that is wrong with it,
 * each with the allowed range.
 */
export function readGpuOffers(
  offers: readonly GpuOffer[],
  cards: readonly Gpu[]
): Result<readonly GpuShare[], readonly string[]> {
  const shares = new Map<string, GpuShare>()
  const wrong: string[] = []
  for (const { card: name, vram } of offers) {
    const card = cards.find((each) => (typeof name === 'number' ? each.index === name : deviceOf(each) === name))
    if (card === undefined) {
      wrong.push(`there is no graphics card ${name} (${describeCards(cards)})`)
      continue
    }
    const problem = shares.has(deviceOf(card)) ? `graphics card ${name} is named twice` : checkShare(card, vram)
    if (problem === undefined) shares.set(deviceOf(card), { device: deviceOf(card), vram: bytes(clamp(vram, gpuRange(card))) })
    else wrong.push(problem)
  }
  return wrong.length > 0 ? err(wrong) : ok([...shares.values()])
}

function checkShare(card: Gpu, vram: number): string | undefined {
  const name = `graphics card ${card.index} (${card.model})`
  if (card.vram === 0) return `${name} has no memory of its own that could be lent`
  const range = gpuRange(card)
  if (isWithin(vram, range)) return undefined
  return `expected VRAM of ${name} to be between ${formatBytes(range.min)} and ${formatBytes(range.max)}, got ${formatBytes(vram)}`
}

function describeCards(cards: readonly Gpu[]): string {
  if (cards.length === 0) return 'this machine has none'
  return `there are ${cards.map(({ index, model }) => `${index}: ${model}`).join(', ')}`
}
