import {
  type Clock,
  type Codec,
  createSerialQueue,
  err,
  isJsonObject,
  type Millis,
  millis,
  ok,
  type Service
} from '../../base/index.ts'
import type { KeyValueStore } from '../../db/index.ts'
import { type Amount, add, isAmount, NOTHING, shortages, subtract, total } from './amounts.ts'
import { amountCodec } from './codec.ts'
import { NotCommittedError, OfferTooSmallError, ResourcesExhaustedError } from './errors.ts'

/** A promise to keep resources for one allocation: until `expiresAt`, or for good once it is allocated. */
export interface Commitment {
  readonly amount: Amount
  /** The DID to which the promise was made. */
  readonly owner: string
  readonly state: 'committed' | 'allocated'
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
  /** Sets or takes back the offer. Errors: `RESOURCES_OFFER_TOO_SMALL` when more is promised. */
  setOffer(amount: Amount | undefined): Promise<void>
  /** Offer minus commitments, allocations and holds; the hold `except` is left out, for whoever has it. */
  free(except?: string): Amount
  /** What allocations use. */
  allocated(): Amount
  /** Unexpired commitments and allocations. */
  commitments(): ReadonlyMap<string, Commitment>
  /**
   * Keeps resources for a bid for a short while, in memory: a bid is an offer, the promise is the commit. False when it does
   * not fit. The same id replaces its earlier hold.
   */
  hold(id: string, amount: Amount, expiresAt: Millis): boolean
  /** Ends a hold. */
  unhold(id: string): void
  /**
   * Promises resources, which count from the call on; the same id and owner again changes nothing. What is promised out of the hold
   * `hold` leaves the rest of it held. Errors: `RESOURCES_EXHAUSTED`.
   */
  commit(id: string, commitment: Omit<Commitment, 'state'>, hold?: string): Promise<void>
  /** Turns a commitment into an allocation. Errors: `RESOURCES_NOT_COMMITTED`. */
  allocate(id: string, owner: string): Promise<void>
  /** Gives back; unknown ids are ignored. */
  release(id: string): Promise<void>
}

const OFFER_ID = 'current'

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
  const holds = new Map<string | symbol, { readonly amount: Amount; readonly expiresAt: Millis }>()
  const commitments = new Map<string, Commitment>()
  const writes = createSerialQueue()
  let offer: Amount | undefined

  function live(): Map<string, Commitment> {
    const now = clock.now()
    return new Map([...commitments].filter(([, { state, expiresAt }]) => state === 'allocated' || expiresAt >= now))
  }

  function promised(): Amount {
    return total([...live().values()].map(({ amount }) => amount))
  }

  function held(except?: string): Amount {
    const now = clock.now()
    for (const [id, { expiresAt }] of holds) if (expiresAt < now) holds.delete(id)
    return total([...holds].filter(([id]) => id !== except).map(([, { amount }]) => amount))
  }

  function freeFor(holdId?: string): Amount {
    return subtract(offer ?? NOTHING, add(promised(), held(holdId)))
  }

  /** Takes an amount out of a hold, and keeps it from other holds until the promise is written and counts itself. */
  function moveHold(hold: string | undefined, { amount, expiresAt }: Omit<Commitment, 'state'>): () => void {
    const held = hold === undefined ? undefined : holds.get(hold)
    if (hold !== undefined && held !== undefined) holds.set(hold, { ...held, amount: subtract(held.amount, amount) })
    const moving = Symbol('promise that is being written')
    holds.set(moving, { amount, expiresAt })
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

  return {
    name: 'resources',
    async start() {
      offer = await offers.get(OFFER_ID)
      for await (const [id, commitment] of records.list()) commitments.set(id, commitment)
    },
    async stop() {
      await writes.idle()
    },
    offer: () => offer,
    setOffer: (amount) =>
      writes.run(async () => {
        const missing = shortages(amount ?? NOTHING, promised())
        if (missing.length > 0) {
          throw new OfferTooSmallError(`more is promised than this offer would have: ${missing.join(', ')}`)
        }
        await store.transaction([amount === undefined ? offers.delete(OFFER_ID) : offers.put(OFFER_ID, amount)])
        offer = amount
        onOffer(amount)
      }),
    free: freeFor,
    allocated: () => total([...commitments.values()].filter(({ state }) => state === 'allocated').map(({ amount }) => amount)),
    commitments: live,
    hold(id, amount, expiresAt) {
      if (!isAmount(amount)) return false
      if (shortages(freeFor(id), amount).length > 0) return false
      holds.set(id, { amount, expiresAt })
      return true
    },
    unhold: (id) => void holds.delete(id),
    commit: (id, commitment, hold) =>
      writes.run(async () => {
        if (!isAmount(commitment.amount)) throw new ResourcesExhaustedError('an amount must be finite and not negative')
        await sweep()
        const existing = commitments.get(id)
        if (existing !== undefined && existing.owner === commitment.owner) return
        if (existing !== undefined) throw new ResourcesExhaustedError(`${id} is committed to somebody else`)
        const missing = shortages(freeFor(hold), commitment.amount)
        if (missing.length > 0) throw new ResourcesExhaustedError(`resources not available: ${missing.join(', ')}`)
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
    release: (id) => writes.run(() => forget(commitments.has(id) ? [id] : []))
  }
}

const commitmentCodec: Codec<Commitment> = {
  decode(wire) {
    if (!isJsonObject(wire)) return err([{ path: '', message: 'must be an object' }])
    const amount = amountCodec.decode(wire['amount'])
    if (!amount.ok) return amount
    const { owner, state, expiresAt } = wire
    if (typeof owner !== 'string' || typeof expiresAt !== 'number' || (state !== 'committed' && state !== 'allocated')) {
      return err([{ path: '', message: 'must have owner, state and expiresAt' }])
    }
    return ok({ amount: amount.value, owner, state, expiresAt: millis(expiresAt) })
  },
  encode: ({ amount, owner, state, expiresAt }) => ({ amount: amountCodec.encode(amount), owner, state, expiresAt })
}
