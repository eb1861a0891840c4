import { err, type Result } from '../../base/index.ts'
import type { Gpu } from '../../hardware/index.ts'
import { isAcceptablePlace, type Place, type PlaceRule } from '../place.ts'
import { type Amount, chooseGpus, type GpuNeed, type GpuShare, shortages } from '../resources/index.ts'

/** What one ensemble node needs. */
export interface BidItem {
  readonly nodeId: string
  readonly executors: readonly string[]
  /** Without graphics cards: they are in `gpus`. */
  readonly amount: Amount
  /** `''` when any will do. */
  readonly architecture: string
  readonly place: PlaceRule
  readonly privileged: boolean
  /** One per card. */
  readonly gpus: readonly GpuNeed[]
  readonly ports: number
  readonly contracts: boolean
}

/** What the provider is and has at this moment. */
export interface ProviderFacts {
  readonly offer: Amount | undefined
  readonly free: Amount
  readonly architecture: string
  /** The graphics cards that the machine has. */
  readonly cards: readonly Gpu[]
  readonly executors: ReadonlySet<string>
  readonly allowPrivileged: boolean
  readonly place: Place
}

/**
 * Whether this provider can run an item now, and on which graphics cards: one share per need, in their order. The error is the reason
 * for saying nothing (C §9.1). Pure.
 */
export function judge(item: BidItem, facts: ProviderFacts): Result<readonly GpuShare[], string> {
  if (facts.offer === undefined) return err('this machine is not onboarded')
  const missing = item.executors.filter((executor) => !facts.executors.has(executor))
  if (missing.length > 0) return err(`no executor ${missing.join(', ')} here`)
  if (item.privileged && !facts.allowPrivileged) return err('privileged containers are not allowed here')
  if (item.architecture !== '' && item.architecture !== facts.architecture) {
    return err(`architecture ${item.architecture} wanted, this is ${facts.architecture}`)
  }
  if (item.ports > 0) return err('ports are not offered here')
  if (item.contracts) return err('contracts are not supported here')
  if (!isAcceptablePlace(facts.place, item.place)) return err('the location does not fit')
  const never = sharesWithin(item, facts, facts.offer, facts.offer)
  if (!never.ok) return err(`more than this machine lends: ${never.error}`)
  const now = sharesWithin(item, facts, facts.offer, facts.free)
  return now.ok ? now : err(`not free now: ${now.error}`)
}

function sharesWithin(item: BidItem, { cards }: ProviderFacts, offer: Amount, free: Amount): Result<readonly GpuShare[], string> {
  const missing = shortages(free, item.amount)
  return missing.length > 0 ? err(missing.join(', ')) : chooseGpus(item.gpus, { cards, lent: offer.gpus, free: free.gpus })
}
