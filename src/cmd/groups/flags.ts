import type { FlagSpec } from '../command.ts'

/** The flag that names a key and its capability context. */
export function contextFlag(options: Pick<FlagSpec, 'default' | 'required'>): FlagSpec {
  return {
    name: 'context',
    short: 'c',
    type: 'text',
    value: 'name',
    doc: 'Key and capability context to use.',
    values: 'context',
    ...options
  }
}

/** The same, where the user's own context is meant unless told otherwise. */
export const userContext = contextFlag({ default: 'user' })

/** Replaces what exists. */
export const force: FlagSpec = { name: 'force', short: 'f', type: 'switch', doc: 'Replaces an existing one without asking.' }

/** Prints JSON where people otherwise get a table. */
export const json: FlagSpec = { name: 'json', type: 'switch', doc: 'Prints JSON instead of a table.' }
