/**
 * config: the operator's file: every key with its type, default and meaning.
 *
 * Imports: base, db.
 * State: none; the file belongs to the operator.
 */
export { type ConfigPlaces, configCandidates, findConfigFile, resolvePath } from './config-file.ts'
export {
  type ConfigChange,
  type ConfigEdit,
  type ConfigRemoval,
  getConfigValue,
  setConfigValue,
  suggestConfigKey,
  unsetConfigValue
} from './edit.ts'
export { ineffectiveKeys } from './effects.ts'
export { ConfigConflictError, ConfigError, ConfigNotFoundError } from './errors.ts'
export { checkConfigText, type HandEdit, keepRejected, saveHandEdit } from './hand-edit.ts'
export { type ConfigKey, configKeys } from './key-list.ts'
export { type ConfigInput, type ConfigSource, type FlagValue, type LoadedConfig, loadConfig } from './load.ts'
export { MASK, maskSecrets, shareableConfig } from './mask.ts'
export { type Migration, migrateConfigFile, tryToMigrate } from './migrate.ts'
export { mayBePrivileged } from './privileged.ts'
export { renderConfigReference } from './reference.ts'
export { type RestPlaces, restPlaces } from './rest-places.ts'
export type { Config } from './schema.ts'
export type { ProviderConfig } from './value-types.ts'
