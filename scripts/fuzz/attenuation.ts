import { linksOf, type Token } from '../../src/ucan/index.ts'

/**
 * Whether no link of a chain claims more than the one that it stands on gave (A §7.4–§7.6), said a second time and in another
 * way than the verifier says it, so that one can check the other.
 */
export function isAttenuated(token: Token): boolean {
  const links = linksOf(token)
  return links.every((link, level) => {
    const below = links[level + 1]
    const isDeepEnough = link.depth === 0n || BigInt(level) <= link.depth
    return isDeepEnough && (below === undefined || link.action === 'revoke' || standsOn(link, below))
  })
}

function standsOn(link: Token, below: Token): boolean {
  if (below.action !== 'delegate' || below.subject !== link.issuer || below.expiresAt < link.expiresAt) return false
  const claimed = link.capabilities ?? []
  if (claimed.length === 0) return true
  const isSamePlace = below.audience === '' || below.audience === link.audience
  return isSamePlace && allWithin(claimed, below.capabilities ?? []) && allWithin(link.topics, below.topics)
}

function allWithin(claimed: readonly string[], given: readonly string[]): boolean {
  return claimed.every((path) => given.some((prefix) => isWithin(path, prefix)))
}

/** `/a/b` is within `/a`, `/a/b` and `/`; compared segment by segment. */
function isWithin(path: string, prefix: string): boolean {
  if (prefix === '/') return true
  const [wanted, given] = [path.split('/'), prefix.split('/')]
  return given.length <= wanted.length && given.every((segment, index) => segment === wanted[index])
}
