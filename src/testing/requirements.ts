import { errorMessage } from '../base/index.ts'

/** Whether a test's surroundings have what it needs. */
export type Requirement = { readonly available: true } | { readonly available: false; readonly reason: string }

/** What {@link requirement} found, made for `describe.skipIf(!needs.available)(needs.title('…'), …)`. */
export interface FoundRequirement {
  readonly available: boolean
  /** Empty when available. */
  readonly reason: string
  /** The title, followed by the reason when what is needed is missing, so that the report of a skipped test says why. */
  title(title: string): string
}

/**
 * Looks whether a part that tests need is there; one that is missing makes them skipped, not passed.
 *
 * @param name  - Named in `DMS_TEST_REQUIRE` (comma separated, such as `docker,wasm`), its absence is an error.
 * @param probe - A throw counts as absence.
 */
export async function requirement(name: string, probe: () => Promise<Requirement>): Promise<FoundRequirement> {
  const found = await probe().catch((error: unknown): Requirement => ({ available: false, reason: errorMessage(error) }))
  if (found.available) return { available: true, reason: '', title: (title) => title }
  const required = (process.env['DMS_TEST_REQUIRE'] ?? '').split(',').map((part) => part.trim())
  if (required.includes(name)) throw new Error(`DMS_TEST_REQUIRE names ${name}, which is not available: ${found.reason}`)
  return { available: false, reason: found.reason, title: (title) => `${title} (skipped: ${name}: ${found.reason})` }
}
