import { err, ok, type Result } from '../../base/index.ts'
import { isAcceptablePlace, type Place, type PlaceRule } from '../place.ts'
import { type Amount, shortages } from '../resources/index.ts'

/** What one ensemble node needs. */
export interface BidItem {
  readonly nodeId: string
  readonly executors: readonly string[]
  readonly amount: Amount
  /** `''` when any will do. */
  readonly architecture: string
  readonly place: PlaceRule
  readonly privileged: boolean
  readonly gpus: number
  readonly ports: number
  readonly contracts: boolean
}

/** What the provider is and has at this moment. */
export interface ProviderFacts {
  readonly offer: Amount | undefined
  readonly free: Amount
  readonly architecture: string
  readonly executors: ReadonlySet<string>
  readonly allowPrivileged: boolean
  readonly place: Place
}

/** Whether this provider can run an item now; the error is the reason for saying nothing (C §9.1). Pure. */
export function judge(item: BidItem, facts: ProviderFacts): Result<true, string> {
  if (facts.offer === undefined) return err('this machine is not onboarded')
  const missing = item.executors.filter((executor) => !facts.executors.has(executor))
  if (missing.length > 0) return err(`no executor ${missing.join(', ')} here`)
  if (item.privileged && !facts.allowPrivileged) return err('privileged containers are not allowed here')
  if (item.architecture !== '' && item.architecture !== facts.architecture) {
    return err(`architecture ${item.architecture} wanted, this is ${facts.architecture}`)
  }
  if (item.gpus > 0) return err('GPUs are not offered here')
  if (item.ports > 0) return err('ports are not offered here')
  if (item.contracts) return err('contracts are not supported here')
  if (!isAcceptablePlace(facts.place, item.place)) return err('the location does not fit')
  const never = shortages(facts.offer, item.amount)
  if (never.length > 0) return err(`more than this machine lends: ${never.join(', ')}`)
  const now = shortages(facts.free, item.amount)
  return now.length > 0 ? err(`not free now: ${now.join(', ')}`) : ok(true)
}
