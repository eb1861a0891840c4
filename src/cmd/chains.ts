import { type JsonValue, type Millis, parseJson } from '../base/index.ts'
import { describeNanos, encodeToken, type InspectedLink, type Inspection, type Token } from '../ucan/index.ts'
import { describeExpiry } from './expiries.ts'
import type { Names } from './names.ts'
import type { Branch } from './tree.ts'

/** A chain as a tree: one branch for each link, from its root, with what breaks it. */
export function chainBranches({ links }: Inspection, names: Names, now: Millis): readonly Branch[] {
  return links.map((link) => linkBranch(link, names, now))
}

function linkBranch({ token, number, isSignatureGood, problems }: InspectedLink, names: Names, now: Millis): Branch {
  const { action, issuer, subject, audience, topics, capabilities, expiresAt, depth } = token
  const rows: readonly (readonly [string, string])[] = [
    ['what', listOf(capabilities ?? [])],
    ...(topics.length === 0 ? [] : [['topics', listOf(topics)] as const]),
    ['where', audience === '' ? 'anywhere' : `at ${names.label(audience)}`],
    ['until', describeExpiry(expiresAt, now)],
    ...(depth === 0n ? [] : [['depth', `at most ${depth} more link${depth === 1n ? '' : 's'}`] as const]),
    ['signature', isSignatureGood ? 'good' : 'BAD']
  ]
  return {
    text: `${number}. ${action}: ${names.label(issuer)} -> ${names.label(subject)}`,
    children: [
      ...rows.map(([name, value]) => ({ text: `${name.padEnd(9)} ${value}` })),
      ...problems.map(({ message }) => ({ text: `BROKEN    ${message}` }))
    ]
  }
}

/** `org -> user -> dms`: who gave to whom, from the root of a chain. */
export function describeChain({ links }: Inspection, names: Names): string {
  const [root] = links
  return [root?.token.issuer ?? '', ...links.map(({ token }) => token.subject)].map((did) => names.short(did)).join(' -> ')
}

/** `/public, /broadcast`, quoted where a stranger's text needs it. */
export function listOf(texts: readonly string[]): string {
  return texts.length === 0
    ? 'nothing'
    : texts.map((text) => (/^[\w/.*:-]+$/.test(text) ? text : JSON.stringify(text))).join(', ')
}

/** An inspection for programs. */
export function inspectionToJson({ token, links, denial, expiresAt, depthLeft }: Inspection, names: Names): JsonValue {
  return {
    holds: denial === undefined,
    ...(denial === undefined ? {} : { reason: denial.reason, message: denial.message }),
    expires: describeNanos(expiresAt),
    ...(depthLeft === undefined ? {} : { depth_left: depthLeft }),
    links: links.map((link) => linkToJson(link, names)),
    token: tokenToJson(token)
  }
}

function linkToJson({ token, number, isSignatureGood, problems }: InspectedLink, names: Names): JsonValue {
  const { action, issuer, subject, audience, topics, capabilities, expiresAt, depth } = token
  return {
    link: number,
    action,
    issuer,
    issuer_label: names.label(issuer),
    subject,
    subject_label: names.label(subject),
    ...(audience === '' ? {} : { audience }),
    capabilities: capabilities ?? [],
    topics,
    expires: describeNanos(expiresAt),
    ...(depth === 0n ? {} : { depth }),
    signature: isSignatureGood ? 'good' : 'bad',
    problems: problems.map(({ reason, message }) => ({ reason, message }))
  }
}

/** A token as the JSON that it is on the wire. */
export function tokenToJson(token: Token): JsonValue {
  const json = parseJson(encodeToken(token))
  return json.ok ? json.value : null
}
