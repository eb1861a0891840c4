import type { Actor, VerifiedEnvelope } from '../../actor/index.ts'
import type { Clock, Logger } from '../../base/index.ts'
import type { Did } from '../../identity/index.ts'
import {
  capAnchor,
  capList,
  capProvideAnchor,
  capReload,
  capRemove,
  capRequireAnchor,
  capRevokeAnchor,
  capRevokeBroadcast,
  capRootAnchor,
  DONE,
  revocationNotice
} from '../../protocol/index.ts'
import { type Anchor, type CapabilityContext, type ContextReload, encodeToken, implies, type Token } from '../../ucan/index.ts'
import type { RevocationExchange } from '../revocation/index.ts'
import { AnchorRefusedError, BadRequestError, NoAnchorError } from './errors.ts'

/** PORT: the file of the node's own context; declared here, satisfied by `ucan`. */
export interface CapabilityFile {
  /** Applies a change to the newest content of the file and saves it, all of it or, when it throws, nothing. */
  update<T>(change: (context: CapabilityContext) => T): Promise<T>
  /** Reads the file anew. */
  reload(): Promise<ContextReload>
}

/** What the capability behaviours speak to. */
export interface CapabilityBehaviorsOptions {
  readonly actor: Actor
  readonly context: CapabilityContext
  readonly file: CapabilityFile
  readonly exchange: RevocationExchange
  readonly clock: Clock
  readonly log: Logger
}

/** Bytes of anchors in one reply: the rest of a message has room beside them (B §5.3). */
const LIST_BYTES = 600_000

interface AnchorLists {
  readonly roots?: readonly Did[] | undefined
  readonly require?: readonly Token[] | undefined
  readonly provide?: readonly Token[] | undefined
  readonly revoke?: readonly Token[] | undefined
}

/** Serves `/dms/cap/…`: every change is in the file before it is answered, and counts from then on (A §12.4). */
export function serveCapabilityBehaviors(options: CapabilityBehaviorsOptions): void {
  const { actor, context, file, exchange, clock, log } = options

  async function add(lists: AnchorLists, envelope: VerifiedEnvelope): Promise<typeof DONE> {
    const anchors = anchorsOf(lists)
    await file.update((draft) => {
      for (const anchor of anchors) {
        const added = draft.anchor(anchor, clock.now())
        if (!added.ok) throw new AnchorRefusedError(`cannot anchor the token: ${added.error.message}`)
      }
    })
    log.info('anchors added', { by: callerOf(envelope), count: anchors.length, kinds: kindsOf(anchors) })
    return DONE
  }

  async function remove(lists: AnchorLists, envelope: VerifiedEnvelope): Promise<typeof DONE> {
    const anchors = anchorsOf(lists)
    const removed = await file.update((draft) => anchors.filter((anchor) => draft.remove(anchor)))
    if (removed.length === 0) throw new NoAnchorError('no such anchor: nothing was removed')
    log.info('anchors removed', { by: callerOf(envelope), count: removed.length, kinds: kindsOf(removed) })
    return DONE
  }

  actor.on(capList, async () => {
    const { roots, require, provide, revoke } = context.list(clock.now())
    const used = [...require, ...provide].reduce((sum, token) => sum + sizeOf(token), 0)
    const shown = fitting(revoke, LIST_BYTES - used)
    const omitted = revoke.length - shown.length
    return { ok: true, error: '', roots, require, provide, revoke: shown, ...(omitted === 0 ? {} : { omitted }) }
  })
  actor.on(capAnchor, add)
  actor.on(capRootAnchor, ({ did }, envelope) => add({ roots: did }, envelope))
  actor.on(capRequireAnchor, ({ token }, envelope) => add({ require: token }, envelope))
  actor.on(capProvideAnchor, ({ token }, envelope) => add({ provide: token }, envelope))
  actor.on(capRevokeAnchor, ({ token }, envelope) => add({ revoke: token }, envelope))
  actor.on(capRemove, remove)
  actor.on(capReload, async () => {
    const { added, removed, notices } = await file.reload()
    return { ok: true, error: '', added, removed, notices: notices.map(({ message }) => message) }
  })
  actor.on(capRevokeBroadcast, async ({ token = [] }, envelope) => {
    if (envelope.isBroadcast) return exchange.receive(token, envelope)
    // Anchored first: only so are they repeated for nodes that are away, and a crash loses nothing.
    if (token.length > 0) await add({ revoke: token }, envelope)
    const revocations = token.length > 0 ? token : context.list(clock.now()).revoke
    await exchange.publish(revocations)
    log.info('revocations published', { by: callerOf(envelope), count: revocations.length })
    return { ok: true, error: '', tokensCount: revocations.length, ...warningOf(context.list(clock.now()).provide) }
  })
}

/** Strangers are not listened to: without a token for it, what this node publishes reaches nobody but its own. */
function warningOf(provide: readonly Token[]): { readonly notices?: readonly string[] } {
  const { name, topic = '' } = revocationNotice
  const isHeard = provide.some(
    ({ capabilities, topics }) =>
      (capabilities ?? []).some((granted) => implies(granted, name)) && topics.some((granted) => implies(granted, topic))
  )
  if (isHeard) return {}
  return {
    notices: [
      `this DMS has no provide anchor for ${name} on the topic ${topic}: nodes that do not know it already will not listen; grant it /broadcast on the topic /nunet`
    ]
  }
}

function anchorsOf({ roots = [], require = [], provide = [], revoke = [] }: AnchorLists): readonly Anchor[] {
  const anchors: readonly Anchor[] = [
    ...revoke.map((token) => ({ kind: 'revoke', token }) as const),
    ...roots.map((did) => ({ kind: 'root', did }) as const),
    ...require.map((token) => ({ kind: 'require', token }) as const),
    ...provide.map((token) => ({ kind: 'provide', token }) as const)
  ]
  if (anchors.length === 0) throw new BadRequestError('no anchor was given: the request has no DID and no token')
  return anchors
}

function kindsOf(anchors: readonly Anchor[]): string {
  return [...new Set(anchors.map(({ kind }) => kind))].join(', ')
}

function callerOf(envelope: VerifiedEnvelope): string {
  return envelope.authorization?.origin ?? envelope.from.did
}

/** The newest that fit, in their order. */
function fitting(tokens: readonly Token[], room: number): readonly Token[] {
  let left = room
  const firstThatFits = tokens.findLastIndex((token) => {
    left -= sizeOf(token)
    return left < 0
  })
  return tokens.slice(firstThatFits + 1)
}

function sizeOf(token: Token): number {
  return Buffer.byteLength(encodeToken(token))
}
