import type { TestContext } from 'vitest'

/** Whether a real part, such as Docker, can be used on this machine, as executors answer `probe()`. */
export type Availability = { readonly available: true } | { readonly available: false; readonly reason: string }

/**
 * Ends a test that needs a part which is not here: skipped, with the reason, or failed when `DMS_TEST_REQUIRE` names the part
 * (a list with commas; CI sets it).
 */
export function needPart(context: Pick<TestContext, 'skip'>, part: string, availability: Availability): void {
  if (availability.available) return
  const required = (process.env['DMS_TEST_REQUIRE'] ?? '').split(',')
  if (required.includes(part)) throw new Error(`${part} is required here, but ${availability.reason}`)
  context.skip(`${part} is not available: ${availability.reason}`)
}
