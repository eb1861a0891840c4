import {
  type Clock,
  type Codec,
  createSerialQueue,
  err,
  isJsonObject,
  type Millis,
  millis,
  ok,
  type Service,
  seconds
} from '../../base/index.ts'
import type { KeyValueStore } from '../../db/index.ts'
import { type Amount, add, isAmount, NOTHING, shortages, subtract, total } from './amounts.ts'
import { amountCodec, readPortLeases } from './codec.ts'
import { NotCommittedError, OfferTooSmallError, PortsTakenError, ResourcesExhaustedError } from './errors.ts'
import type { PortLease } from './ports.ts'

/** A promise to keep resources for one allocation: until `expiresAt`, or for good once it is allocated. */
export interface Commitment {
  readonly amount: Amount
  /** Public ports are nobody else's as long as the promise lasts. */
  readonly ports: readonly PortLease[]
  /** The DID to which the promise was made. */
  readonly owner: string
  readonly state: 'committed' | 'allocated'
  readonly expiresAt: Millis
}

/** What is kept from others for a short while. */
export interface Hold {
  readonly amount: Amount
  /** Public ports. */
  readonly ports: readonly number[]
  readonly expiresAt: Millis
}

/**
 * Who was promised what of the lent resources.
 *
 * *Free* is always derived from the offer and the live commitments, never kept as a running total (C §15.3, 6). Every change
 * is durable before it counts.
 */
export interface ResourceLedger extends Service {
  /** What the owner lends; undefined when nothing is. */
  offer(): Amount | undefined
  /** Sets or takes back the offer; ends draining. Errors: `RESOURCES_OFFER_TOO_SMALL` when more is promised. */
  setOffer(amount: Amount | undefined): Promise<void>
  /** Takes the offer back as soon as nothing is promised any more, also over restarts; until then nothing is held for new bids. */
  drain(): Promise<void>
  /** Whether the offer is about to be taken back. */
  isDraining(): boolean
  /** Offer minus commitments, allocations and holds; the hold `except` is left out, for whoever has it. */
  free(except?: string): Amount
  /** Public ports that are promised or held, but for those of the hold `except`. */
  portsInUse(except?: string): ReadonlySet<number>
  /** What allocations use. */
  allocated(): Amount
  /** Unexpired commitments and allocations. */
  commitments(): ReadonlyMap<string, Commitment>
  /**
   * Keeps resources for a bid for a short while, in memory: a bid is an offer, the promise is the commit. False when it does
   * not fit. The same id replaces its earlier hold.
   */
  hold(id: string, hold: Hold): boolean
  /** Ends a hold. */
  unhold(id: string): void
  /**
   * Promises resources, which count from the call on; the same id and owner again changes nothing. What is promised out of the hold
   * `hold` leaves the rest of it held. Errors: `RESOURCES_EXHAUSTED`, `RESOURCES_PORTS_TAKEN`.
   */
  commit(id: string, commitment: Omit<Commitment, 'state'>, hold?: string): Promise<void>
  /** Turns a commitment into an allocation. Errors: `RESOURCES_NOT_COMMITTED`. */
  allocate(id: string, owner: string): Promise<void>
  /** Gives back; unknown ids are ignored. */
  release(id: string): Promise<void>
}

const OFFER_ID = 'current'

/** How often promises that have lapsed are removed from the store; they count no longer from the moment they lapse. */
const SWEEP_INTERVAL = seconds(30)

/** Creates the ledger over the collections `offer` and `commitments`. */
export function createResourceLedger({
  store,
  clock,
  onOffer = () => undefined
}: {
  readonly store: KeyValueStore
  readonly clock: Clock
  /** Told of every new offer, once it is durable. */
  readonly onOffer?: (amount: Amount | undefined) => void
}): ResourceLedger {
  const offers = store.collection('offer', amountCodec)
  const records = store.collection('commitments', commitmentCodec)
  const draining = store.collection('draining', flagCodec)
  const holds = new Map<string | symbol, Hold>()
  const lifetime = new AbortController()
  const commitments = new Map<string, Commitment>()
  const writes = createSerialQueue()
  let offer: Amount | undefined
  let isDraining = false

  function live(): Map<string, Commitment> {
    const now = clock.now()
    return new Map([...commitments].filter(([, { state, expiresAt }]) => state === 'allocated' || expiresAt >= now))
  }

  function promised(): Amount {
    return total([...live().values()].map(({ amount }) => amount))
  }

  function held(except?: string): readonly Hold[] {
    const now = clock.now()
    for (const [id, { expiresAt }] of holds) if (expiresAt < now) holds.delete(id)
    return [...holds].filter(([id]) => id !== except).map(([, hold]) => hold)
  }

  function freeFor(holdId?: string): Amount {
    return subtract(offer ?? NOTHING, add(promised(), total(held(holdId).map(({ amount }) => amount))))
  }

  function portsInUse(except?: string): ReadonlySet<number> {
    const leased = [...live().values()].flatMap(({ ports }) => ports.map((port) => port.public))
    return new Set([...leased, ...held(except).flatMap(({ ports }) => ports)])
  }

  /** Takes an amount out of a hold, and keeps it from other holds until the promise is written and counts itself. */
  function moveHold(hold: string | undefined, { amount, ports, expiresAt }: Omit<Commitment, 'state'>): () => void {
    const moved = ports.map((port) => port.public)
    const held = hold === undefined ? undefined : holds.get(hold)
    if (hold !== undefined && held !== undefined) {
      const rest = held.ports.filter((port) => !moved.includes(port))
      holds.set(hold, { ...held, amount: subtract(held.amount, amount), ports: rest })
    }
    const moving = Symbol('promise that is being written')
    holds.set(moving, { amount, ports: moved, expiresAt })
    return () => void holds.delete(moving)
  }

  async function forget(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await store.transaction(ids.map((id) => records.delete(id)))
    for (const id of ids) commitments.delete(id)
  }

  async function sweep(): Promise<void> {
    const alive = live()
    await forget([...commitments.keys()].filter((id) => !alive.has(id)))
  }

  async function writeOffer(amount: Amount | undefined): Promise<void> {
    const change = amount === undefined ? offers.delete(OFFER_ID) : offers.put(OFFER_ID, amount)
    await store.transaction([change, draining.delete(OFFER_ID)])
    offer = amount
    isDraining = false
    onOffer(amount)
  }

  async function finishDraining(): Promise<void> {
    if (isDraining && live().size === 0) await writeOffer(undefined)
  }

  async function keepSweeping(): Promise<void> {
    for (;;) {
      await clock.sleep(SWEEP_INTERVAL, { signal: lifetime.signal })
      await writes
        .run(sweep)
        .then(() => writes.run(finishDraining))
        .catch(() => undefined) // the disk is full or away; the next round tries again
    }
  }

  return {
    name: 'resources',
    async start() {
      offer = await offers.get(OFFER_ID)
      isDraining = (await draining.get(OFFER_ID)) === true
      for await (const [id, commitment] of records.list()) commitments.set(id, commitment)
      keepSweeping().catch(() => undefined) // it ends with the node
    },
    async stop() {
      lifetime.abort()
      await writes.idle()
    },
    offer: () => offer,
    setOffer: (amount) =>
      writes.run(async () => {
        const missing = shortages(amount ?? NOTHING, promised())
        if (missing.length > 0) {
          throw new OfferTooSmallError(`more is promised than this offer would have: ${missing.join(', ')}`)
        }
        await writeOffer(amount)
      }),
    drain: () =>
      writes.run(async () => {
        await store.transaction([draining.put(OFFER_ID, true)])
        isDraining = true
        await finishDraining()
      }),
    isDraining: () => isDraining,
    free: freeFor,
    portsInUse,
    allocated: () => total([...commitments.values()].filter(({ state }) => state === 'allocated').map(({ amount }) => amount)),
    commitments: live,
    hold(id, hold) {
      if (isDraining || !isAmount(hold.amount) || shortages(freeFor(id), hold.amount).length > 0) return false
      const taken = portsInUse(id)
      if (hold.ports.some((port) => taken.has(port))) return false
      holds.set(id, hold)
      return true
    },
    unhold: (id) => void holds.delete(id),
    commit: (id, commitment, hold) =>
      writes.run(async () => {
        if (!isAmount(commitment.amount)) throw new ResourcesExhaustedError('an amount must be finite and not negative')
        const existing = live().get(id)
        if (existing !== undefined && existing.owner === commitment.owner) return
        if (existing !== undefined) throw new ResourcesExhaustedError(`${id} is committed to somebody else`)
        const missing = shortages(freeFor(hold), commitment.amount)
        if (missing.length > 0) throw new ResourcesExhaustedError(`resources not available: ${missing.join(', ')}`)
        const taken = portsInUse(hold)
        const busy = commitment.ports.map((port) => port.public).filter((port) => taken.has(port))
        if (busy.length > 0) throw new PortsTakenError(`ports are already allocated: ${busy.join(', ')}`)
        const record: Commitment = { ...commitment, state: 'committed' }
        const giveUp = moveHold(hold, commitment)
        try {
          await store.transaction([records.put(id, record)])
          commitments.set(id, record)
        } finally {
          giveUp()
        }
      }),
    allocate: (id, owner) =>
      writes.run(async () => {
        const commitment = live().get(id)
        if (commitment === undefined || commitment.owner !== owner) {
          throw new NotCommittedError(`allocation not committed: ${id}`)
        }
        if (commitment.state === 'allocated') return
        const record: Commitment = { ...commitment, state: 'allocated' }
        await store.transaction([records.put(id, record)])
        commitments.set(id, record)
      }),
    release: (id) =>
      writes.run(async () => {
        await forget(commitments.has(id) ? [id] : [])
        await finishDraining()
      })
  }
}

const flagCodec: Codec<boolean> = {
  decode: (wire) => (typeof wire === 'boolean' ? ok(wire) : err([{ path: '', message: 'must be true or false' }])),
  encode: (value) => value
}

const commitmentCodec: Codec<Commitment> = {
  decode(wire) {
    if (!isJsonObject(wire)) return err([{ path: '', message: 'must be an object' }])
    const amount = amountCodec.decode(wire['amount'])
    if (!amount.ok) return amount
    const { owner, state, expiresAt } = wire
    const ports = readPortLeases(wire['ports'])
    if (ports === undefined) return err([{ path: 'ports', message: 'must be a list of public and private ports' }])
    if (typeof owner !== 'string' || typeof expiresAt !== 'number' || (state !== 'committed' && state !== 'allocated')) {
      return err([{ path: '', message: 'must have owner, state and expiresAt' }])
    }
    return ok({ amount: amount.value, ports, owner, state, expiresAt: millis(expiresAt) })
  },
  encode: ({ amount, ...rest }) => ({ amount: amountCodec.encode(amount), ...rest })
}
