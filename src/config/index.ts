/**
 * config: the operator's file: every key with its type, default and meaning.
 *
 * Imports: base, db.
 * State: none; the file belongs to the operator.
 */
export { type ConfigPlaces, configCandidates, findConfigFile, resolvePath } from './config-file.ts'
export { type ConfigChange, type ConfigEdit, getConfigValue, setConfigValue, suggestConfigKey } from './edit.ts'
export { ineffectiveKeys } from './effects.ts'
export { ConfigError, ConfigNotFoundError } from './errors.ts'
export { type ConfigInput, type ConfigSource, type FlagValue, type LoadedConfig, loadConfig } from './load.ts'
export { renderConfigReference } from './reference.ts'
export type { Config } from './schema.ts'
export type { ProviderConfig } from './value-types.ts'
