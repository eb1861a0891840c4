import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytes, type Millis, millis, seconds } from '../../base/index.ts'
import { createMemoryStore, type MemoryStore } from '../../db/index.ts'
import { createVirtualClock } from '../../testing/index.ts'
import type { Amount } from './amounts.ts'
import { createResourceLedger, type ResourceLedger } from './ledger.ts'

/** Hundredths of cores, memory, disk, memory of card x and of card y: whole numbers, so that the model is exact. */
type Vector = readonly [number, number, number, number, number]

/** Two names of allocations, owners, holds and a few ports: enough to meet each other often. */
const ids = fc.constantFrom('a', 'b', 'c')
const owners = fc.constantFrom('did:x', 'did:y')
const holdIds = fc.constantFrom('h', 'i')
const somePorts = fc.uniqueArray(fc.integer({ min: 1, max: 3 }), { maxLength: 2 })
/** Claims of which two or three fill an offer: exact fits, and refusals for each part, are common. */
const part = fc.integer({ min: 0, max: 2 })
const vectors: fc.Arbitrary<Vector> = fc.tuple(part, part, part, part, part)
const large = fc.integer({ min: 3, max: 5 })
const offers: fc.Arbitrary<Vector> = fc.tuple(large, large, large, large, large)

const steps = fc.oneof(
  fc.record({ kind: fc.constant('offer' as const), vector: fc.option(fc.oneof(offers, vectors)) }),
  fc.record({ kind: fc.constant('hold' as const), id: holdIds, vector: vectors, ports: somePorts }),
  fc.record({ kind: fc.constant('unhold' as const), id: holdIds }),
  fc.record({
    ...{ kind: fc.constant('commit' as const), id: ids, owner: owners, vector: vectors, ports: somePorts },
    ...{ hold: fc.option(holdIds), life: fc.integer({ min: 1, max: 100 }) }
  }),
  fc.record({ kind: fc.constant('allocate' as const), id: ids, owner: owners }),
  fc.record({ kind: fc.constant('release' as const), id: ids }),
  fc.record({ kind: fc.constant('wait' as const), time: fc.integer({ min: 1, max: 60 }) }),
  fc.record({ kind: fc.constant('restart' as const) }),
  fc.record({ kind: fc.constant('full disk' as const), id: ids, owner: owners, vector: vectors })
)
type Step = typeof steps extends fc.Arbitrary<infer T> ? T : never

interface Claim {
  readonly vector: Vector
  readonly ports: readonly number[]
  readonly expiresAt: number
}

/** What a ledger is, in the fewest words: a list of claims on an offer. */
class Model {
  offer: Vector | undefined
  holds = new Map<string, Claim>()
  promises = new Map<string, Claim & { readonly owner: string; readonly isAllocated: boolean }>()

  tidy(now: number): void {
    for (const [id, { expiresAt }] of this.holds) if (expiresAt < now) this.holds.delete(id)
    for (const [id, { isAllocated, expiresAt }] of this.promises) if (!isAllocated && expiresAt < now) this.promises.delete(id)
  }

  /** The rest of the offer for one who has the hold `own`. */
  free(own?: string | null): readonly number[] {
    const held = [...this.holds].filter(([id]) => id !== own).map(([, claim]) => claim)
    return [0, 1, 2, 3, 4].map((index) => {
      const used = [...held, ...this.promises.values()].reduce((sum, { vector }) => sum + (vector[index] ?? 0), 0)
      return Math.max(0, (this.offer?.[index] ?? 0) - used)
    })
  }

  fits({ vector, ports }: Pick<Claim, 'vector' | 'ports'>, own?: string | null): boolean {
    const free = this.free(own)
    const held = [...this.holds].filter(([id]) => id !== own).map(([, claim]) => claim)
    const taken = [...held, ...this.promises.values()].flatMap((claim) => claim.ports)
    return vector.every((need, index) => need <= (free[index] ?? 0)) && !ports.some((port) => taken.includes(port))
  }
}

function toAmount([cores, memory, disk, x, y]: Vector): Amount {
  const cards = [['x', x] as const, ['y', y] as const].filter(([, vram]) => vram > 0)
  return {
    ...{ cpuCores: cores / 100, memory: bytes(memory), disk: bytes(disk) },
    gpus: cards.map(([device, vram]) => ({ device, vram: bytes(vram) }))
  }
}

function toVector({ cpuCores, memory, disk, gpus }: Amount): readonly number[] {
  const vram = (name: string): number => gpus.find(({ device }) => device === name)?.vram ?? 0
  return [Math.round(cpuCores * 100), memory, disk, vram('x'), vram('y')]
}

test('whatever is done, and wherever it dies, the ledger is its offer minus its claims', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 10, maxLength: 40, size: 'max' }), offers, async (sequence, first) => {
      const world = await createWorld()
      await world.ledger.setOffer(toAmount(first))
      world.model.offer = first
      for (const step of sequence) {
        const now = world.clock.now()
        world.model.tidy(now)
        const isExpected = expected(world.model, step, now)
        const isDone = await attempt(world, step)
        expect(isDone, `${JSON.stringify(step)} of ${JSON.stringify(sequence)}`).toBe(isExpected)
        world.model.tidy(world.clock.now())
        expect(toVector(world.ledger.free())).toEqual(world.model.free())
        expect([...world.ledger.commitments().keys()].sort()).toEqual([...world.model.promises.keys()].sort())
        const ports = [...world.model.holds.values(), ...world.model.promises.values()].flatMap((claim) => claim.ports)
        expect([...world.ledger.portsInUse()].sort()).toEqual([...new Set(ports)].sort())
        expect(new Set(ports).size).toBe(ports.length)
      }
      await world.ledger.stop()
    }),
    { numRuns: 400 }
  )
})

interface World {
  readonly clock: ReturnType<typeof createVirtualClock>
  readonly store: MemoryStore
  readonly model: Model
  ledger: ResourceLedger
  isDiskFull: boolean
}

async function createWorld(): Promise<World> {
  const clock = createVirtualClock()
  const store = createMemoryStore({
    onWrite: () => {
      if (world.isDiskFull) throw new Error('the disk is full')
    }
  })
  await store.start()
  const world: World = { clock, store, model: new Model(), ledger: createResourceLedger({ store, clock }), isDiskFull: false }
  await world.ledger.start()
  return world
}

/** Does to the model what a step does; whether it succeeds. */
function expected(model: Model, step: Step, now: number): boolean {
  switch (step.kind) {
    case 'offer': {
      const promised = [0, 1, 2, 3, 4].map((index) =>
        [...model.promises.values()].reduce((sum, { vector }) => sum + (vector[index] ?? 0), 0)
      )
      const isEnough = promised.every((sum, index) => sum <= (step.vector?.[index] ?? 0))
      if (isEnough) model.offer = step.vector ?? undefined
      return isEnough
    }
    case 'hold': {
      const isFit = model.fits(step, step.id)
      if (isFit) model.holds.set(step.id, { ...step, expiresAt: now + seconds(20) })
      return isFit
    }
    case 'unhold':
      model.holds.delete(step.id)
      return true
    case 'commit':
      return expectedCommit(model, step, now)
    case 'allocate': {
      const promise = model.promises.get(step.id)
      if (promise?.owner !== step.owner) return false
      model.promises.set(step.id, { ...promise, isAllocated: true })
      return true
    }
    case 'release':
      model.promises.delete(step.id)
      return true
    case 'restart':
      model.holds.clear()
      return true
    case 'wait':
      return true
    case 'full disk':
      return model.promises.get(step.id)?.owner === step.owner
  }
}

function expectedCommit(model: Model, step: Extract<Step, { kind: 'commit' }>, now: number): boolean {
  const existing = model.promises.get(step.id)
  if (existing !== undefined) return existing.owner === step.owner
  if (!model.fits(step, step.hold)) return false
  const hold = step.hold === null ? undefined : model.holds.get(step.hold)
  if (step.hold !== null && hold !== undefined) {
    const [a, b, c, d, e] = hold.vector.map((value, index) => Math.max(0, value - (step.vector[index] ?? 0)))
    const rest: Vector = [a ?? 0, b ?? 0, c ?? 0, d ?? 0, e ?? 0]
    model.holds.set(step.hold, { ...hold, vector: rest, ports: hold.ports.filter((port) => !step.ports.includes(port)) })
  }
  const { vector, ports, owner } = step
  model.promises.set(step.id, { vector, ports, owner, isAllocated: false, expiresAt: now + seconds(step.life) })
  return true
}

/** Does to the ledger what a step says; whether it succeeds. */
async function attempt(world: World, step: Step): Promise<boolean> {
  const { ledger, clock, store } = world
  const later = (time: number): Millis => millis(clock.now() + seconds(time))
  const done = (work: Promise<unknown>): Promise<boolean> =>
    work.then(
      () => true,
      () => false
    )
  switch (step.kind) {
    case 'offer':
      return done(ledger.setOffer(step.vector === null ? undefined : toAmount(step.vector)))
    case 'hold':
      return ledger.hold(step.id, { amount: toAmount(step.vector), ports: step.ports, expiresAt: later(20) })
    case 'unhold':
      ledger.unhold(step.id)
      return true
    case 'commit': {
      const ports = step.ports.map((port) => ({ public: port, private: 80 }))
      const promise = { amount: toAmount(step.vector), ports, owner: step.owner, expiresAt: later(step.life) }
      return done(ledger.commit(step.id, promise, step.hold ?? undefined))
    }
    case 'allocate':
      return done(ledger.allocate(step.id, step.owner))
    case 'release':
      return done(ledger.release(step.id))
    case 'wait':
      await clock.run(clock.sleep(seconds(step.time)))
      return true
    case 'restart':
      await ledger.stop()
      world.ledger = createResourceLedger({ store, clock })
      await world.ledger.start()
      return true
    case 'full disk': {
      world.isDiskFull = true
      const promise = { amount: toAmount(step.vector), ports: [], owner: step.owner, expiresAt: later(20) }
      const isDone = await done(ledger.commit(step.id, promise))
      world.isDiskFull = false
      return isDone
    }
  }
}

test('a promise that lapses leaves the store by itself', async () => {
  const { ledger, clock, store } = await createWorld()
  await ledger.setOffer(toAmount([4, 4, 4, 4, 4]))
  const promise = { amount: toAmount([1, 1, 1, 1, 1]), ports: [{ public: 1, private: 80 }], owner: 'did:x' }
  await ledger.commit('a', { ...promise, expiresAt: millis(clock.now() + seconds(40)) })
  await ledger.commit('b', { ...promise, ports: [], expiresAt: millis(clock.now() + seconds(400)) })
  expect([...(store.snapshot().get('commitments')?.keys() ?? [])]).toEqual(['a', 'b'])
  await clock.run(clock.sleep(seconds(80)))
  expect([...(store.snapshot().get('commitments')?.keys() ?? [])]).toEqual(['b'])
  expect([...ledger.commitments().keys()]).toEqual(['b'])
  await ledger.stop()
})
