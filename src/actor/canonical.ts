/** The parts of an envelope whose text is exactly what encoding it writes (B §2.2). */
export interface CanonicalText {
  /** The text of the two handles, not yet looked at: it may be anything. */
  readonly to: string
  readonly from: string
  readonly behavior: string
  readonly nonce: string
  readonly expiresAt: string
  readonly replyTo: string
  readonly topic: string
  /** Base64, not yet looked at; `null` for no payload at all. */
  readonly payload: string | null
  readonly capabilities: string
  readonly signature: string
  /** Where the text of what is signed ends; a `}` follows there. */
  readonly signedLength: number
}

/** Characters that stand for themselves in the JSON text of a string, as Go writes it. */
const PLAIN = /^[ !#-%'-;=?-[\]-~]*$/

/** An unsigned integer as it is written; its size is not looked at. */
const INTEGER = /^(?:0|[1-9]\d{0,19})$/

/**
 * Takes an envelope apart without parsing it, when its text has the canonical form: member order, no space, nothing escaped.
 *
 * `undefined` for all other texts, good or bad. What it returns is canonical if and only if the handles, the base64 texts and the
 * integers are, which the caller must check: then what is signed is the text itself without its signature.
 */
export function scanCanonical(text: string): CanonicalText | undefined {
  let at = 0

  function literal(expected: string): boolean {
    if (!text.startsWith(expected, at)) return false
    at += expected.length
    return true
  }

  /** Everything up to `end`, which is skipped. */
  function upTo(end: string): string | undefined {
    const found = text.indexOf(end, at)
    if (found < 0) return undefined
    const part = text.slice(at, found)
    at = found + end.length
    return part
  }

  function digits(): string {
    const start = at
    while (text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x39) at += 1
    return text.slice(start, at)
  }

  /** The rest of a member that is left out when empty. */
  function optional(name: string): string | undefined {
    if (!literal(name)) return ''
    const value = upTo('"')
    return value === '' ? undefined : value
  }

  if (!literal('{"to":')) return undefined
  const to = upTo(',"be":"')
  const behavior = upTo('","from":')
  const from = upTo(',"nonce":')
  const nonce = upTo(',"opt":{"exp":')
  const expiresAt = digits()
  const replyTo = optional(',"cont":"')
  const topic = optional(',"topic":"')
  if (!literal('},"msg":')) return undefined
  const hasPayload = literal('"')
  const payload = hasPayload ? upTo('"') : null
  if (!hasPayload && !literal('null')) return undefined
  const capabilities = optional(',"cap":"')
  const signedLength = at
  const signature = optional(',"sig":"')
  if (!literal('}') || at !== text.length) return undefined
  if (to === undefined || behavior === undefined || from === undefined || nonce === undefined) return undefined
  if (replyTo === undefined || topic === undefined || payload === undefined) return undefined
  if (capabilities === undefined || signature === undefined) return undefined
  const isPlain = PLAIN.test(behavior) && PLAIN.test(replyTo) && PLAIN.test(topic)
  if (!isPlain || !INTEGER.test(nonce) || !INTEGER.test(expiresAt)) return undefined
  return { to, from, behavior, nonce, expiresAt, replyTo, topic, payload, capabilities, signature, signedLength }
}
