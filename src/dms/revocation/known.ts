import { createHash } from 'node:crypto'
import {
  type Clock,
  type Codec,
  createSerialQueue,
  err,
  hours,
  isJsonObject,
  type Logger,
  type Millis,
  millis,
  ok,
  type Service,
  toNanos
} from '../../base/index.ts'
import type { KeyValueStore } from '../../db/index.ts'
import { createVerifier, type Verifier } from '../../identity/index.ts'
import {
  type CapabilityContext,
  encodeToken,
  isExpired,
  linksOf,
  parseToken,
  revocationKey,
  type Token,
  verifyToken
} from '../../ucan/index.ts'

/** What became of the revocations of one message. */
export interface LearnedCounts {
  readonly learned: number
  readonly known: number
  /** Forged, expired, too large, or no revocations. */
  readonly bad: number
  /** Good, but there is no room for them. */
  readonly full: number
  /** Not looked at: too many signatures would have to be checked. */
  readonly left: number
}

/** Revocations that came from other nodes. */
export interface KnownRevocations extends Service {
  /**
   * Takes those that are good: signed by their issuer and not expired. They are durable when it resolves, and count from then on.
   *
   * @param sender - The DID in whose name they were sent: nobody takes the room of others.
   * @param mayVerify - Asked before each signature is checked; when it refuses, the rest is left.
   */
  learn(revocations: readonly Token[], sender: string, mayVerify?: () => boolean): Promise<LearnedCounts>
  /** Drops those that expired long ago: what they revoke has, too. */
  sweep(): Promise<void>
  readonly size: number
}

/** What {@link createKnownRevocations} needs. */
export interface KnownRevocationsOptions {
  readonly store: KeyValueStore
  readonly context: CapabilityContext
  readonly clock: Clock
  readonly log: Logger
  /** Default a new one; share one to remember keys together. */
  readonly verifier?: Verifier
}

/** Revocations by issuers that occur in our own anchors; they are never dropped for others. */
const MAX_OF_ANCHORS = 16_384

/** How many of them one issuer may have: a guest with many revocations of its own leaves room for those that are about it. */
const MAX_OF_ISSUER = MAX_OF_ANCHORS / 2

/** Other ones: they matter where a chain goes on below our anchors. */
const MAX_OF_OTHERS = 4096

/** How many of the others one sender may have sent. */
const MAX_OF_SENDER = 512

/** Revocations that ended this long ago are dropped; before, a wrong clock may be to blame. */
const KEEP_EXPIRED = hours(30 * 24)

/** Largest revocation that is taken from the network, in bytes of JSON: the usual ones have 400. */
const MAX_BYTES = 4096

interface Entry {
  readonly token: Token
  readonly sender: string
}

/**
 * Creates the set of learned revocations over the collection `revocations`.
 *
 * They are not anchors: the owner's file stays the owner's. A revocation can only take away, never give back: one that ends earlier
 * does not replace one that ends later, and none is forgotten before the revoked token has expired, except for want of room.
 */
export function createKnownRevocations(options: KnownRevocationsOptions): KnownRevocations {
  const { store, context, clock, log, verifier = createVerifier() } = options
  const records = store.collection('revocations', entryCodec)
  const entries = new Map<string, Entry>()
  /** Stored ones that do not count now: expired, unless the clock is wrong. */
  const waiting = new Set<string>()
  const writes = createSerialQueue()

  function isKnown(token: Token): boolean {
    const stored = entries.get(idOf(token))
    return stored === undefined ? context.isRevoked(token) : stored.token.expiresAt >= token.expiresAt
  }

  async function keep(fresh: readonly Token[], sender: string): Promise<number> {
    const { added, evicted } = makeRoom(entries, fresh, sender, issuersOf(context, clock.now()))
    await store.transaction([
      ...added.map((token) => records.put(idOf(token), { token, sender })),
      ...evicted.map((id) => records.delete(id))
    ])
    for (const id of evicted) forget(id)
    for (const token of added) apply({ token, sender })
    return added.length
  }

  function apply(entry: Entry): void {
    const id = idOf(entry.token)
    entries.set(id, entry)
    if (context.learn(entry.token, clock.now()).ok) waiting.delete(id)
    else waiting.add(id)
  }

  function forget(id: string): void {
    const entry = entries.get(id)
    entries.delete(id)
    waiting.delete(id)
    if (entry !== undefined) context.forget(entry.token)
  }

  async function sweep(): Promise<void> {
    for (const id of [...waiting]) {
      const entry = entries.get(id)
      if (entry !== undefined) apply(entry)
    }
    const limit = millis(clock.now() - KEEP_EXPIRED)
    const ended = [...entries].flatMap(([id, { token }]) => (isExpired(token, limit) ? [id] : []))
    if (ended.length === 0) return
    await store.transaction(ended.map((id) => records.delete(id)))
    for (const id of ended) forget(id)
  }

  return {
    name: 'revocations',
    async start() {
      for await (const [, entry] of records.list()) apply(entry)
      await sweep()
    },
    stop: () => writes.idle(),
    learn: (revocations, sender, mayVerify = () => true) =>
      writes.run(async () => {
        const now = clock.now()
        const provided = context.list(now).provide.length
        const unknown = revocations.filter((token) => !isKnown(token))
        const fresh = new Map<string, Token>()
        let bad = 0
        let left = 0
        for (const token of unknown) {
          if (!isRevocation(token)) bad += 1
          else if (!mayVerify()) left += 1
          else if (verifyToken(token, toNanos(now), { verifier }).ok) fresh.set(idOf(token), token)
          else bad += 1
        }
        const learned = fresh.size === 0 ? 0 : await keep([...fresh.values()], sender)
        const lost = provided - context.list(now).provide.length
        if (lost > 0) log.warn('grants to this node were revoked: it can no longer use them', { count: lost })
        return {
          learned,
          known: revocations.length - unknown.length,
          bad,
          full: fresh.size - learned,
          left
        }
      }),
    sweep: () => writes.run(sweep),
    get size() {
      return entries.size
    }
  }
}

/** Whether it has the form of a revocation, before its signature is looked at. */
function isRevocation(token: Token): boolean {
  return token.action === 'revoke' && token.chain === undefined && Buffer.byteLength(encodeToken(token)) <= MAX_BYTES
}

/** A name of bounded length for what a revocation revokes. */
function idOf(token: Token): string {
  return createHash('sha256').update(revocationKey(token)).digest('hex')
}

/** Whose revocations can matter to our own anchors: this node itself, its roots, and who occurs in an anchor. */
function issuersOf(context: CapabilityContext, now: Millis): ReadonlySet<string> {
  const { roots, require, provide } = context.list(now)
  const links = [...require, ...provide].flatMap(linksOf)
  return new Set([context.did, ...roots, ...links.flatMap(({ issuer, subject }) => [issuer, subject])])
}

/** Which revocations are taken, and what has to go for them. Pure. */
function makeRoom(
  entries: ReadonlyMap<string, Entry>,
  fresh: readonly Token[],
  sender: string,
  ours: ReadonlySet<string>
): { readonly added: readonly Token[]; readonly evicted: readonly string[] } {
  const others = new Map<string, string[]>()
  const held = (from: string): string[] => {
    const ids = others.get(from) ?? []
    others.set(from, ids)
    return ids
  }
  let ofAnchors = 0
  const byIssuer = new Map<string, number>()
  const countOurs = ({ issuer }: Token): void => {
    ofAnchors += 1
    byIssuer.set(issuer, (byIssuer.get(issuer) ?? 0) + 1)
  }
  for (const [id, { token, sender: from }] of entries) {
    if (ours.has(token.issuer)) countOurs(token)
    else held(from).push(id)
  }
  let ofOthers = entries.size - ofAnchors
  const evicted: string[] = []
  const added = fresh.filter((token) => {
    if (entries.has(idOf(token))) return true // it takes the place of one that ends earlier
    if (ours.has(token.issuer)) {
      if (ofAnchors >= MAX_OF_ANCHORS || (byIssuer.get(token.issuer) ?? 0) >= MAX_OF_ISSUER) return false
      countOurs(token)
      return true
    }
    const own = held(sender)
    if (own.length >= MAX_OF_SENDER) return false
    if (ofOthers >= MAX_OF_OTHERS) {
      const largest = [...others.values()].reduce((a, b) => (b.length > a.length ? b : a), own)
      const oldest = largest.length > own.length + 1 ? largest.shift() : undefined
      if (oldest === undefined) return false
      evicted.push(oldest)
      ofOthers -= 1
    }
    own.push(idOf(token))
    ofOthers += 1
    return true
  })
  return { added, evicted }
}

const entryCodec: Codec<Entry> = {
  decode(wire) {
    if (!isJsonObject(wire)) return err([{ path: '', message: 'must be an object' }])
    const { token, sender } = wire
    if (typeof token !== 'string' || typeof sender !== 'string')
      return err([{ path: '', message: 'must have the texts token and sender' }])
    const parsed = parseToken(token)
    return parsed.ok ? ok({ token: parsed.value, sender }) : err([parsed.error])
  },
  encode: ({ token, sender }) => ({ token: encodeToken(token), sender })
}
