import type { ContextView } from '../ucan/index.ts'

/** Shows DIDs with the names that their contexts have here. */
export interface Names {
  /** `did:key:z6Mk… (user)`; the DID alone when it has no context here. */
  label(did: string): string
  /** `user`, else the DID: for places where the DID was shown before. */
  short(did: string): string
}

/** The names of contexts, by their DIDs. */
export function namesOf(contexts: ReadonlyMap<string, Pick<ContextView, 'did'>>): Names {
  const names = new Map<string, string>()
  for (const [name, { did }] of contexts) names.set(did, names.has(did) ? `${names.get(did)}, ${name}` : name)
  return {
    label: (did) => (did === '' ? 'nobody' : names.has(did) ? `${did} (${names.get(did)})` : did),
    short: (did) => names.get(did) ?? (did === '' ? 'nobody' : did)
  }
}
