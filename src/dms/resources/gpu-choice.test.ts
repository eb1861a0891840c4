import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gibibytes } from '../../base/index.ts'
import type { Gpu } from '../../hardware/index.ts'
import { chooseGpus, type GpuNeed, vendorWord } from './gpu-choice.ts'
import { deviceOf, type GpuShare } from './gpus.ts'

const card = (index: number, vendor: Gpu['vendor'], model: string, vram: number): Gpu => ({
  ...{ index, vendor, model, vram: gibibytes(vram), devices: [] },
  ...{ uuid: vendor === 'NVIDIA' ? `GPU-${index}` : '', pciAddress: `0000:0${index}:00.0` }
})

const CARDS = [
  card(0, 'NVIDIA', 'NVIDIA GeForce RTX 3090', 24),
  card(1, 'NVIDIA', 'Tesla T4', 16),
  card(2, 'AMD/ATI', 'AMD Radeon RX 6800', 16)
]

const share = (device: string, vram: number): GpuShare => ({ device, vram: gibibytes(vram) })
const LENT = [share('GPU-0', 20), share('GPU-1', 10), share('0000:02:00.0', 10)]

function need(part: Partial<Omit<GpuNeed, 'vram'>> & { readonly vram?: number } = {}): GpuNeed {
  return { vendor: '', model: '', uuid: '', pciAddress: '', ...part, vram: gibibytes(part.vram ?? 0) }
}

const choose = (needs: readonly GpuNeed[], free = LENT) => chooseGpus(needs, { cards: CARDS, lent: LENT, free })

describe('the choice of graphics cards', () => {
  test.each<readonly [string, readonly GpuNeed[], string]>([
    ['a maker that is not there', [need({ vendor: 'Intel' })], 'a graphics card Intel with all of its memory wanted'],
    ['a model that is not there', [need({ model: 'T400' })], 'a graphics card T400 with'],
    ['a model of another maker', [need({ vendor: 'AMD', model: 'T4' })], 'a graphics card AMD T4'],
    ['more memory than is lent', [need({ vram: 21 })], 'a graphics card with 21 GiB wanted, 10 GiB of Tesla T4, 10 GiB of AMD'],
    ['another card than the one named', [need({ uuid: 'GPU-9' })], 'a graphics card GPU-9'],
    ['more cards than there are', [need(), need(), need(), need()], 'a graphics card with all of its memory wanted']
  ])('refuses %s', (_what, needs, message) => {
    const chosen = choose(needs)
    expect(chosen.ok ? '' : chosen.error).toContain(message)
  })

  test('a machine without cards, or one that lends none, has none', () => {
    const none = { ok: false, error: 'a graphics card with 1 GiB wanted, none free' }
    expect(chooseGpus([need({ vram: 1 })], { cards: [], lent: LENT, free: LENT })).toEqual(none)
    expect(chooseGpus([need({ vram: 1 })], { cards: CARDS, lent: [], free: [] })).toEqual(none)
  })

  test('takes the card that fits most closely, by maker, model, identity and memory', () => {
    expect(choose([need({ vram: 4 })])).toEqual({ ok: true, value: [share('GPU-1', 4)] })
    expect(choose([need({ vendor: 'amd', vram: 4 })])).toEqual({ ok: true, value: [share('0000:02:00.0', 4)] })
    expect(choose([need({ model: 'rtx 3090', vram: 20 })])).toEqual({ ok: true, value: [share('GPU-0', 20)] })
    expect(choose([need({ uuid: 'gpu-0', vram: 1 })])).toEqual({ ok: true, value: [share('GPU-0', 1)] })
  })

  test('without a size a need has a whole card, and never one that is partly used', () => {
    const free = [share('GPU-0', 19), share('GPU-1', 10), share('0000:02:00.0', 0)]
    expect(choose([need()], free)).toEqual({ ok: true, value: [share('GPU-1', 10)] })
    expect(choose([need({ vendor: 'AMD' })], free).ok).toBe(false)
  })

  test('finds a choice where taking the first that fits would not', () => {
    const needs = [need({ vram: 5 }), need({ model: 'T4', vram: 5 }), need({ vendor: 'AMD', vram: 5 })]
    expect(choose(needs)).toEqual({ ok: true, value: [share('GPU-0', 5), share('GPU-1', 5), share('0000:02:00.0', 5)] })
  })

  test('gives each need a card of its own that fits, and finds a choice whenever there is one', () => {
    const anyNeed = fc
      .record({ vendor: fc.constantFrom('', 'NVIDIA', 'AMD/ATI'), vram: fc.integer({ min: 0, max: 20 }) })
      .map((part) => need(part))
    const anyFree = fc
      .tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 10 }))
      .map((sizes) => LENT.map(({ device }, index) => share(device, sizes[index] ?? 0)))
    fc.assert(
      fc.property(fc.array(anyNeed, { maxLength: 3 }), anyFree, (needs, free) => {
        const chosen = choose(needs, free)
        expect(chosen.ok).toBe(canBeServed(needs, free))
        if (!chosen.ok) return
        expect(new Set(chosen.value.map(({ device }) => device)).size).toBe(needs.length)
        for (const [index, { device, vram }] of chosen.value.entries()) {
          expect(
            choose(
              [needs[index] ?? need()],
              free.filter((each) => each.device === device)
            ).ok
          ).toBe(true)
          expect(vram).toBeLessThanOrEqual(free.find((each) => each.device === device)?.vram ?? 0)
        }
      })
    )
  })

  test.each([
    ['Intel Corporation', 'intel'],
    ['NVIDIA Corporation', 'nvidia'],
    ['Advanced Micro Devices, Inc. [AMD/ATI]', 'amd'],
    ['ATI', 'amd'],
    ['Matrox', 'matrox']
  ])('knows the maker %s', (text, word) => {
    expect(vendorWord(text)).toBe(word)
  })
})

/** By trying every way to give the needs cards: each need is one that can be served alone by its card. */
function canBeServed([first, ...rest]: readonly GpuNeed[], free: readonly GpuShare[]): boolean {
  if (first === undefined) return true
  return free.some(
    (each) =>
      choose([first], [each]).ok &&
      canBeServed(
        rest,
        free.filter((other) => other !== each)
      )
  )
}

test('a card is known by its UUID, or by its address where it has none', () => {
  expect(CARDS.map(deviceOf)).toEqual(['GPU-0', 'GPU-1', '0000:02:00.0'])
})
