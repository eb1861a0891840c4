import type { JsonValue, Millis } from '../base/index.ts'
import {
  type Admission,
  type CallExplanation,
  type CallQuestion,
  type Carrier,
  type Culprit,
  describeNanos,
  linksOf,
  type PresentedToken,
  type Token
} from '../ucan/index.ts'
import { describeChain, inspectionToJson, listOf, tokenToJson } from './chains.ts'
import { describeExpiry } from './expiries.ts'
import type { Names } from './names.ts'
import type { Branch } from './tree.ts'

/** An explanation as a tree: the answer, then what the caller has, what reaches the callee, and what the callee lets in. */
export function explanationTree(question: CallQuestion, explanation: CallExplanation, names: Names): Branch {
  const { caller, callee, capability, topic, now } = question
  const { carriers, presented, admissions, needed } = explanation
  const call = topic === undefined ? capability : `${capability} on ${topic}`
  return {
    text: `${explanation.verdict}: ${call}, from ${names.label(caller.did)} to ${names.label(callee.did)}`,
    children: [
      answerBranch(explanation, names, now),
      {
        text: `what ${names.short(caller.did)} could show`,
        children:
          carriers.length === 0 ? [{ text: emptyHanded(question) }] : carriers.map((carrier) => carrierBranch(carrier, names))
      },
      {
        text: `what reaches ${names.short(callee.did)}`,
        children: presented.map((token) => presentedBranch(token, names, callee.anchors !== undefined))
      },
      ...(callee.anchors === undefined
        ? [{ text: 'its context is not on this machine', children: neededBranches(question, needed, names) }]
        : [
            {
              text: `whom ${names.short(callee.did)} lets in for this`,
              children: admissions.map((admission) => admissionBranch(admission, names, now))
            }
          ])
    ]
  }
}

function answerBranch({ verdict, authorization, allowedBy, culprit }: CallExplanation, names: Names, now: Millis): Branch {
  if (verdict === 'allowed' && authorization !== undefined) {
    const chain = allowedBy === undefined ? '' : ` by ${links(allowedBy, names)}`
    return {
      text: `allowed${chain}, in the name of ${names.label(authorization.origin)}, until ${describeExpiry(authorization.expiresAt, now)}`
    }
  }
  if (verdict === 'unknown') return { text: 'what is known here does not decide it: what is missing stands below' }
  if (culprit === undefined) return { text: 'no link is broken here: only the other side can tell' }
  return { text: `because ${describeCulprit(culprit, names)}` }
}

function describeCulprit({ where, message, token, link }: Culprit, names: Names): string {
  const place = where === 'caller' ? 'the caller' : 'the callee'
  if (token === undefined) return `${message} (at ${place})`
  const chain = links(token, names)
  return link === undefined ? `${message} (at ${place}; ${chain})` : `link ${link} of ${chain}: ${message} (at ${place})`
}

/** `org -> user -> dms`; a call comes from an actor with a key of its own, whose DID says nothing to anybody. */
function links(token: Token, names: Names): string {
  const chain = linksOf(token).toReversed()
  const holders = chain.map(({ action, subject }) => (action === 'delegate' ? names.short(subject) : 'its actor'))
  return [names.short(chain[0]?.issuer ?? ''), ...holders].join(' -> ')
}

function emptyHanded({ caller, tokens }: CallQuestion): string {
  if (caller.anchors === undefined && tokens === undefined)
    return 'not known: its context is not on this machine; --token says what it holds'
  return 'nothing is anchored: no provide anchor, so that it has no more than its own word'
}

function carrierBranch({ inspection, problems }: Carrier, names: Names): Branch {
  const chain = describeChain(inspection, names)
  if (problems.length === 0) return { text: `${chain}: is attached` }
  return {
    text: `${chain}: is not attached`,
    children: problems.map(({ link, message }) => ({ text: `link ${link}: ${message}` }))
  }
}

function presentedBranch(
  { inspection, isAllowed, denial, requirements }: PresentedToken,
  names: Names,
  isKnown: boolean
): Branch {
  const kind = inspection.links.length === 1 ? 'its own word' : links(inspection.token, names)
  if (isAllowed) return { text: `${kind}: is enough` }
  return {
    text: isKnown ? `${kind}: is not enough: ${denial?.message ?? 'refused'}` : `${kind}: is enough if it is trusted there`,
    children: !isKnown
      ? []
      : requirements.map(({ requirement, problems }) => ({
          text: `require anchor for ${names.label(requirement.subject)}: ${problems.map(({ message }) => message).join('; ') || 'allows it'}`
        }))
  }
}

function admissionBranch(admission: Admission, names: Names, now: Millis): Branch {
  const who = names.label(admission.issuer)
  if (admission.by === 'own') return { text: `itself, and whom it gave a token: ${who}` }
  if (admission.by === 'root') return { text: `root anchor: ${who}, and whom it gave a token` }
  const { capabilities, topics, expiresAt } = admission.requirement
  const scope = `${listOf(capabilities ?? [])}${topics.length === 0 ? '' : ` on ${listOf(topics)}`}`
  return { text: `require anchor: holders of tokens of ${who} for ${scope}, until ${describeExpiry(expiresAt, now)}` }
}

function neededBranches({ capability, topic }: CallQuestion, needed: readonly string[], names: Names): readonly Branch[] {
  if (needed.length === 0) return [{ text: 'nothing that it could trust reaches it' }]
  const scope = topic === undefined ? capability : `${capability} on ${topic}`
  return needed.map((did) => ({
    text: `it must have ${names.label(did)} as root anchor, or a require anchor for ${scope} given to it`
  }))
}

/** An explanation for programs. */
export function explanationToJson(question: CallQuestion, explanation: CallExplanation, names: Names): JsonValue {
  const { verdict, authorization, allowedBy, carriers, presented, admissions, needed, culprit } = explanation
  const { caller, callee, capability, topic } = question
  return {
    verdict,
    caller: caller.did,
    callee: callee.did,
    capability,
    ...(topic === undefined ? {} : { topic }),
    ...(authorization === undefined
      ? {}
      : { authorization: { origin: authorization.origin, expires: describeNanos(authorization.expiresAt) } }),
    ...(allowedBy === undefined ? {} : { allowed_by: tokenToJson(allowedBy) }),
    ...(culprit === undefined ? {} : { culprit: culpritToJson(culprit) }),
    carriers: carriers.map(({ inspection, problems }) => ({
      attached: problems.length === 0,
      problems: problems.map(({ reason, link, message }) => ({ reason, link, message })),
      chain: inspectionToJson(inspection, names)
    })),
    presented: presented.map(({ inspection, isAllowed, denial, requirements }) => ({
      allowed: isAllowed,
      ...(denial === undefined ? {} : { reason: denial.reason, message: denial.message }),
      requirements: requirements.map(({ requirement, problems }) => ({
        subject: requirement.subject,
        problems: problems.map(({ reason, message }) => ({ reason, message }))
      })),
      chain: inspectionToJson(inspection, names)
    })),
    admissions: admissions.map(({ by, issuer }) => ({ by, issuer })),
    needed
  }
}

function culpritToJson({ where, reason, message, token, link }: Culprit): JsonValue {
  return {
    where,
    reason,
    message,
    ...(link === undefined ? {} : { link }),
    ...(token === undefined ? {} : { token: tokenToJson(token) })
  }
}
