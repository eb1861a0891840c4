import type { Faults } from './faults.ts'
import type { World } from './world.ts'

/** What becomes of one frame between two hosts. */
export interface Journey {
  /** Milliseconds until each copy arrives; none when it is lost. */
  readonly arrivals: readonly number[]
  /** Whether the sender hears of the loss. */
  readonly isTold: boolean
}

/** Decides over the journeys of frames. */
export interface Wire {
  journey(from: string, to: string): Journey
  /** Stops all faults. */
  repair(): void
}

/** How often a frame suffers from each fault, and how much. */
const SLOW = { probability: 0.02, from: 200, to: 8000 }
const LOSS = 0.02
const DUPLICATION = 0.02
const OVERTAKING_MS = 400

/** Milliseconds over a good connection. */
const LATENCY = { from: 2, to: 60 }

/** Creates a wire with these faults. Without `reordering`, what one host sends another arrives in the order of sending. */
export function createWire(world: World, faults: Faults): Wire {
  const chance = world.chance.fork('wire')
  const lastArrivals = new Map<string, number>()
  let active: Faults = faults

  function travelTime(): number {
    const usual = chance.between(LATENCY.from, LATENCY.to)
    const slow = active.has('delay') && chance.happens(SLOW.probability) ? chance.between(SLOW.from, SLOW.to) : 0
    const late = active.has('reordering') ? chance.between(0, OVERTAKING_MS) : 0
    return usual + slow + late
  }

  function inOrder(from: string, to: string, delay: number): number {
    if (active.has('reordering')) return delay
    const key = `${from}>${to}`
    const at = Math.max(world.now() + delay, lastArrivals.get(key) ?? 0)
    lastArrivals.set(key, at)
    return at - world.now()
  }

  return {
    journey(from, to) {
      if (active.has('loss') && chance.happens(LOSS)) return { arrivals: [], isTold: chance.happens(0.5) }
      const first = inOrder(from, to, travelTime())
      if (!active.has('duplication') || !chance.happens(DUPLICATION)) return { arrivals: [first], isTold: true }
      return { arrivals: [first, first + chance.between(1, 5000)], isTold: true }
    },
    repair() {
      active = new Set()
    }
  }
}
