import { decodeHex, isJsonObject, type JsonValue, parseJson, type Random, type Result } from '../base/index.ts'

/** The value of a success; fails the test otherwise. For tests of this module only. */
export function expectOk<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(`expected a success, got ${JSON.stringify(result.error)}`)
  return result.value
}

/** The reason of a refusal; fails the test otherwise. */
export function reasonOf(result: Result<unknown, { readonly message: string }>): string {
  if (result.ok) throw new Error('expected a refusal')
  return result.error.message
}

/** Bytes of a hexadecimal text. */
export function hex(text: string): Uint8Array {
  return expectOk(decodeHex(text))
}

/** Randomness that gives these bytes (hexadecimal), one text per call. */
export function createFixedRandom(texts: readonly string[]): Random {
  const remaining = [...texts]
  return {
    bytes(length) {
      const next = hex(remaining.shift() ?? '')
      if (next.length !== length) throw new Error(`the test prepared ${next.length} random bytes, ${length} are asked for`)
      return next
    }
  }
}

/** The JSON object of a text, or of a member; fails the test otherwise. */
export function jsonObject(value: JsonValue | undefined): { readonly [name: string]: JsonValue } {
  const object = typeof value === 'string' ? expectOk(parseJson(value)) : value
  if (!isJsonObject(object)) throw new Error(`expected a JSON object, got ${JSON.stringify(object)}`)
  return object
}

/** A text that is a member of a JSON object; fails the test otherwise. */
export function jsonText(value: JsonValue | undefined): string {
  if (typeof value !== 'string') throw new Error(`expected a text, got ${JSON.stringify(value)}`)
  return value
}
