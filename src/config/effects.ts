import { KEYS } from './keys.ts'
import type { LoadedConfig } from './load.ts'

/** The keys that the operator set though nothing reads them yet, dotted, in the order of the schema. */
export function ineffectiveKeys({ sources }: Pick<LoadedConfig, 'sources'>): readonly string[] {
  return KEYS.filter(({ name, key }) => key.effect === 'none' && (sources[name] ?? 'default') !== 'default').map(
    ({ name }) => name
  )
}
