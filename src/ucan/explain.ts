import { type Millis, ok, type Random, type Result, seconds, toNanos } from '../base/index.ts'
import { actorIdOf, type Did, generateKeyPair, parseDid, publicKeyOf } from '../identity/index.ts'
import { createAnchorSet } from './anchor-set.ts'
import { authorizeClaim, type Trust } from './authorize.ts'
import { isImpliedBy, someImplies } from './capability.ts'
import { type DelegationQuery, deny, isAnchored, quote, type SignatureVerifier } from './chain.ts'
import { createContext, NO_ANCHORS } from './context.ts'
import { firstProblem, type Inspection, inspectToken } from './inspect.ts'
import { carryProblems, type Problem, trustProblems } from './reasons.ts'
import { createRehearsal } from './rehearsal.ts'
import { createSignatureCache } from './signature-cache.ts'
import { linksOf } from './token.ts'
import type { Anchors, Authorization, Denial, Token } from './types.ts'

/** How long a message lives unless told otherwise (B §8.1): its tokens must last as long. */
const MESSAGE_LIFETIME = seconds(30)

/** One side of a call, as far as it is known here. */
export interface Party {
  readonly did: Did
  /** What its context holds; missing when there is no such context here. */
  readonly anchors?: Anchors
  /** Provide tokens in its file that cannot be used, so that it can be said why. */
  readonly unusable?: readonly Token[]
}

/** May the caller do this there? */
export interface CallQuestion {
  readonly caller: Party
  readonly callee: Party
  readonly capability: string
  /** Set for broadcasts. */
  readonly topic?: string
  /**
   * Tokens that the caller is said to hold: delegations count as its provide anchors, invocations and broadcasts are judged as
   * they are, for the actor that they name.
   */
  readonly tokens?: readonly Token[]
  readonly now: Millis
}

/** A delegation that the caller could show. */
export interface Carrier {
  readonly inspection: Inspection
  /** What keeps it from carrying this call, from the root of its chain; empty when it is attached. */
  readonly problems: readonly Problem[]
}

/** A token that reaches the callee, and what the callee says to it. */
export interface PresentedToken {
  /** With the callee's revocations in mind. */
  readonly inspection: Inspection
  readonly isAllowed: boolean
  readonly denial?: Denial
  /** Why each require anchor of the callee does not allow it; those of other capabilities are left out. */
  readonly requirements: readonly { readonly requirement: Token; readonly problems: readonly Omit<Problem, 'link'>[] }[]
}

/** A way by which the callee would let the caller in. */
export type Admission =
  | { readonly by: 'own'; readonly issuer: Did }
  | { readonly by: 'root'; readonly issuer: Did }
  | { readonly by: 'require'; readonly issuer: string; readonly requirement: Token }

/** The exact missing or broken link. */
export interface Culprit {
  readonly where: 'caller' | 'callee'
  readonly reason: Denial['reason']
  readonly message: string
  /** The token that has it, and the number of the link in its chain. */
  readonly token?: Token
  readonly link?: number
}

/** The answer to a {@link CallQuestion}, with its reasons. */
export interface CallExplanation {
  /** `unknown`: the callee's context is not here, and nothing but its own word decides. */
  readonly verdict: 'allowed' | 'refused' | 'unknown'
  readonly authorization?: Authorization
  /** The presented token that the callee allows. */
  readonly allowedBy?: Token
  readonly carriers: readonly Carrier[]
  readonly presented: readonly PresentedToken[]
  /** What would let the caller in, at a callee that is known. */
  readonly admissions: readonly Admission[]
  /** Issuers one of whom the callee has to trust, at a callee that is not known. */
  readonly needed: readonly string[]
  readonly culprit?: Culprit
}

/** Options of {@link explainCall}. */
export interface ExplainOptions {
  readonly verifier: SignatureVerifier
  readonly random: Random
}

/**
 * Says whether a call would be allowed, by which chain, or which link is missing or broken.
 *
 * The tokens are made by the code that sends messages and judged by the code that receives them, with placeholders for the
 * signatures of the caller's own key; so neither a passphrase is needed nor can the answer differ from what happens. Grants
 * that a daemon holds in memory only are not seen.
 *
 * @returns A denial when the callee is no DID of a key that an actor can have.
 */
export async function explainCall(question: CallQuestion, options: ExplainOptions): Promise<Result<CallExplanation, Denial>> {
  const { caller, callee, tokens: given = [] } = question
  const key = publicKeyOf(callee.did)
  const audience = key.ok ? actorIdOf(key.value) : key
  if (!audience.ok) return deny('bad-token', `${callee.did} cannot be called: ${audience.error.message}`)
  const rehearsal = createRehearsal(caller.did, options.verifier)
  const query = queryOf(question)
  const delegations = given.filter(({ action }) => action !== 'invoke' && action !== 'broadcast')
  const candidates = [...(caller.anchors?.provide ?? []), ...delegations, ...(caller.unusable ?? [])]
  const usable = new Set([...(caller.anchors?.provide ?? []), ...delegations])
  const carriers = candidates.map((token) => judgeCarrier(token, query, question, { verifier: options.verifier, usable }))
  const provide = carriers.filter(({ problems }) => problems.length === 0).map(({ inspection }) => inspection.token)
  const actor = generateKeyPair(options.random)
  const context = createContext({
    signer: rehearsal.signer,
    verifier: rehearsal.verifier,
    random: options.random,
    anchors: { ...NO_ANCHORS, provide }
  })
  const { capability, topic, now } = question
  const terms = { subject: actor.actorId, expiresAt: query.expiresAt, now }
  const own =
    topic === undefined
      ? await context.present({ ...terms, target: callee.did, audience: audience.value, invoke: [capability] })
      : await context.presentBroadcast({ ...terms, topic, capabilities: [capability] })
  const ready = given.filter(({ action }) => action === 'invoke' || action === 'broadcast')
  const shown =
    ready.length === 0
      ? own.map((token) => ({ token, subject: actor.did }))
      : ready.map((token) => ({ token, subject: token.subject }))
  return ok(conclude(question, carriers, judge(shown, question, rehearsal.verifier)))
}

/** A token, and who comes with it. */
interface Shown {
  readonly token: Token
  readonly subject: string
}

/** What the callee says to all that is shown: to the tokens of one actor together, as they arrive, and to each alone. */
interface Judgement {
  readonly presented: readonly PresentedToken[]
  /** Of the first actor that is let in. */
  readonly authorization?: Authorization
  /** Of the last actor, when none is let in. */
  readonly denial?: Denial
}

function judge(shown: readonly Shown[], question: CallQuestion, verifier: SignatureVerifier): Judgement {
  const { callee, capability, topic, now } = question
  const trust = trustOf(callee)
  const ask = (subject: string, tokens: readonly Token[]): Result<Authorization, Denial> => {
    const did = parseDid(subject)
    if (!did.ok) return deny('bad-token', `bad token: ${did.error.message}`, tokens[0])
    const place = { audience: callee.did, capabilities: [capability], ...(topic === undefined ? {} : { topic }) }
    return authorizeClaim({ ...place, subject: did.value, tokens }, now, trust, createSignatureCache({ verifier }))
  }
  const relevant = trust.require.filter(
    ({ capabilities }) => someImplies(capabilities, capability) || isImpliedBy(capabilities, capability)
  )
  const presented = shown.map(({ token, subject }): PresentedToken => {
    const answer = ask(subject, [token])
    return {
      inspection: inspectToken(token, { now, verifier, revocations: trust.revocations }),
      isAllowed: answer.ok,
      ...(answer.ok ? {} : { denial: answer.error }),
      requirements: relevant.map((requirement) => ({ requirement, problems: trustProblems(requirement, token) }))
    }
  })
  const answers = [...new Set(shown.map(({ subject }) => subject))].map((subject) =>
    ask(
      subject,
      shown.filter((other) => other.subject === subject).map(({ token }) => token)
    )
  )
  const allowed = answers.find(({ ok: isAllowed }) => isAllowed)
  if (allowed?.ok === true) return { presented, authorization: allowed.value }
  const last = answers.at(-1)
  return { presented, ...(last?.ok === false ? { denial: last.error } : {}) }
}

function trustOf({ did, anchors = NO_ANCHORS }: Party): Trust {
  const set = createAnchorSet(anchors)
  const { roots, require } = set.list()
  return { own: did, roots, require, revocations: set.revocations }
}

/** What a new token on a delegation would claim; as `present` and `presentBroadcast` ask it. */
function queryOf({ caller, callee, capability, topic, now }: CallQuestion): DelegationQuery {
  return {
    issuer: caller.did,
    audience: topic === undefined ? callee.did : '',
    topics: topic === undefined ? [] : [topic],
    expiresAt: toNanos(now) + toNanos(MESSAGE_LIFETIME),
    capabilities: [capability]
  }
}

function judgeCarrier(
  token: Token,
  query: DelegationQuery,
  { caller, topic, now }: CallQuestion,
  { verifier, usable }: { readonly verifier: SignatureVerifier; readonly usable: ReadonlySet<Token> }
): Carrier {
  const { revocations } = trustOf(caller)
  const inspection = inspectToken(token, { now, verifier, revocations })
  const broken = inspection.links.flatMap(({ problems }) => problems)
  const expired = new Set(broken.filter(({ reason }) => reason === 'expired').map(({ link }) => link))
  // A link that has expired need not be said to end too early as well.
  const carrying = carryProblems(token, topic === undefined ? 'invoke' : 'broadcast', query).filter(
    ({ reason, link }) => reason !== 'expired' || !expired.has(link)
  )
  const problems = [...broken, ...carrying].toSorted((a, b) => a.link - b.link)
  if (problems.length > 0 || usable.has(token)) return { inspection, problems }
  return {
    inspection,
    problems: [{ reason: 'bad-token', message: 'it is set aside in the file', link: inspection.links.length }]
  }
}

function conclude(question: CallQuestion, carriers: readonly Carrier[], judgement: Judgement): CallExplanation {
  const { caller, callee, tokens } = question
  const { presented, authorization, denial } = judgement
  const isKnown = callee.anchors !== undefined
  const common = { carriers, presented, admissions: isKnown ? admissionsOf(question) : [] }
  if (authorization !== undefined) {
    const allowedBy = presented.find(({ isAllowed }) => isAllowed)?.inspection.token
    return { ...common, verdict: 'allowed', authorization, ...(allowedBy === undefined ? {} : { allowedBy }), needed: [] }
  }
  const sound = presented.filter((token) => isMatterOfTrust(token.denial))
  const issuers = sound.flatMap(({ inspection }) => linksOf(inspection.token)).map(({ issuer }) => issuer)
  const culprit = culpritOf(question, carriers, presented) ?? (denial && { where: 'callee', ...denial })
  const isOpen = isKnown ? caller.anchors === undefined && tokens === undefined : sound.length > 0
  return {
    ...common,
    verdict: isOpen ? 'unknown' : 'refused',
    needed: isKnown ? [] : [...new Set(issuers)],
    ...(culprit === undefined ? {} : { culprit })
  }
}

/** Whether only the anchors of the callee stand between a token and success. */
function isMatterOfTrust(denial: Denial | undefined): boolean {
  return denial?.reason === 'no-chain' || denial?.reason === 'not-anchored'
}

/** What the callee's anchors would take from this caller. */
function admissionsOf({ callee, capability, topic, now }: CallQuestion): readonly Admission[] {
  const { roots = [], require = [] } = callee.anchors ?? {}
  const fitting = require.filter(
    (requirement) =>
      linksOf(requirement).every(({ expiresAt }) => expiresAt >= toNanos(now)) &&
      someImplies(requirement.capabilities, capability) &&
      (topic === undefined || someImplies(requirement.topics, topic))
  )
  return [
    { by: 'own', issuer: callee.did },
    ...roots.map((issuer) => ({ by: 'root', issuer }) as const),
    ...fitting.map((requirement) => ({ by: 'require', issuer: requirement.subject, requirement }) as const)
  ]
}

/**
 * The link to blame: what the callee holds against the best chain that was shown or, when none could be shown, what is wrong
 * with the nearest delegation of the caller.
 */
function culpritOf(
  question: CallQuestion,
  carriers: readonly Carrier[],
  presented: readonly PresentedToken[]
): Culprit | undefined {
  const chained = presented.filter(({ inspection }) => inspection.links.length > 1)
  const isGiven = presented.some(({ inspection }) => question.tokens?.includes(inspection.token) ?? false)
  const shown = nearestOf(isGiven ? presented : chained)
  if (shown !== undefined) return shown
  const nearest = nearestCarrier(carriers, question)
  const [problem] = nearest?.problems ?? []
  if (nearest !== undefined && problem !== undefined) return { where: 'caller', ...problem, token: nearest.inspection.token }
  return nearestOf(presented)
}

function nearestOf(presented: readonly PresentedToken[]): Culprit | undefined {
  const refused = presented.filter(({ denial }) => denial !== undefined)
  const best = refused.find(({ denial }) => !isMatterOfTrust(denial)) ?? refused.find(hasNearRequirement) ?? refused[0]
  if (best?.denial === undefined) return undefined
  const { inspection, denial } = best
  const problem = firstProblem(inspection)
  if (problem !== undefined) return { where: 'callee', ...problem, token: inspection.token }
  return requirementCulprit(best) ?? { where: 'callee', reason: denial.reason, message: denial.message, token: inspection.token }
}

/** A require anchor that would trust somebody in the chain, were it not for something else. */
function hasNearRequirement({ requirements }: PresentedToken): boolean {
  return requirements.some(({ problems }) => problems.every(({ reason }) => reason !== 'not-anchored'))
}

function requirementCulprit({ requirements }: PresentedToken): Culprit | undefined {
  const near = requirements
    .filter(({ problems }) => problems.length > 0 && problems.every(({ reason }) => reason !== 'not-anchored'))
    .toSorted((a, b) => a.problems.length - b.problems.length)[0]
  const [problem] = near?.problems ?? []
  if (near === undefined || problem === undefined) return undefined
  const message = `the require anchor for ${quote(near.requirement.subject)} does not reach that far: ${problem.message}`
  return { where: 'callee', reason: problem.reason, message, token: near.requirement }
}

/** The delegation that is for this capability, or was meant to be, and has the fewest faults. */
function nearestCarrier(carriers: readonly Carrier[], { callee, capability }: CallQuestion): Carrier | undefined {
  const distance = ({ inspection: { token }, problems }: Carrier): number => {
    const isOther = !someImplies(token.capabilities, capability) && !isImpliedBy(token.capabilities, capability)
    return problems.length + (isOther ? 100 : 0) + (isAnchored(token, callee.did) ? 0 : 0.5)
  }
  return carriers.toSorted((a, b) => distance(a) - distance(b))[0]
}
