/** A place as providers declare it and ensembles ask for it; empty members are not known or do not matter. */
export interface Place {
  readonly continent: string
  readonly country: string
  readonly city: string
}

/** One part of the world in a rule; members that are missing or empty do not matter. */
export interface PlaceEntry {
  readonly continent?: string | undefined
  readonly country?: string | undefined
  readonly city?: string | undefined
}

/** Places that are wanted or not wanted (C §8.5). */
export interface PlaceRule {
  readonly accept: readonly PlaceEntry[]
  readonly reject: readonly PlaceEntry[]
}

/**
 * Whether a place satisfies a rule: some accept entry matches when there are any, else no reject entry matches. An entry
 * matches when each of its members that is set is equal, letter case aside (C §8.5).
 */
export function isAcceptablePlace(place: Place, { accept, reject }: PlaceRule): boolean {
  if (accept.length > 0) return accept.some((entry) => matches(place, entry))
  return !reject.some((entry) => matches(place, entry))
}

function matches(place: Place, entry: PlaceEntry): boolean {
  const isEqual = (have: string, want: string | undefined): boolean =>
    want === undefined || want === '' || have.toLowerCase() === want.toLowerCase()
  const isEmpty = [entry.continent, entry.country, entry.city].every((part) => part === undefined || part === '')
  return (
    !isEmpty &&
    isEqual(place.continent, entry.continent) &&
    isEqual(place.country, entry.country) &&
    isEqual(place.city, entry.city)
  )
}
