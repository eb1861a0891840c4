import { isJsonObject, type JsonValue } from '../base/index.ts'
import { PLUGIN_API_VERSION } from './author.ts'
import { PluginRefusedError } from './errors.ts'

/** What a plugin says of itself in its `package.json`, before any of its code runs. */
export interface PluginManifest {
  /** Of the package: `@acme/nunet-executor`. */
  readonly name: string
  readonly version: string
  /** Kinds of the executors that it adds, as ensembles name them. */
  readonly executors: readonly string[]
  /** Relative path of the module that exports `plugin`. */
  readonly main: string
}

/** Kinds are words of ensembles and of messages. */
const KIND = /^[a-z][a-z0-9_-]{0,31}$/
const MAX_EXECUTORS = 16
const MAX_NAME = 214

/** Parts that a later version of the contract may let plugins add. */
const RESERVED: Readonly<Record<string, string>> = {
  volumeProviders: 'volume providers',
  paymentProviders: 'payment providers'
}

/**
 * Reads the parsed `package.json` of a plugin.
 *
 * @param taken - Kinds that the plugin may not have, each with who has it.
 * @throws PluginRefusedError with what is wrong and what would be right.
 */
export function parseManifest(value: JsonValue, taken: ReadonlyMap<string, string>): PluginManifest {
  if (!isJsonObject(value)) throw new PluginRefusedError('its package.json is no object')
  const { name, version, nunet } = value
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME)
    throw new PluginRefusedError('its package.json has no name')
  if (!isJsonObject(nunet)) {
    throw new PluginRefusedError(
      `its package.json has no member nunet: { "apiVersion": ${PLUGIN_API_VERSION}, "executors": ["…"] } makes a package a plugin`
    )
  }
  checkVersion(nunet['apiVersion'])
  for (const [member, what] of Object.entries(RESERVED)) {
    if (nunet[member] !== undefined) throw new PluginRefusedError(`nunet.${member}: this version takes no ${what} from plugins`)
  }
  return {
    name,
    version: typeof version === 'string' ? version.slice(0, 64) : '',
    executors: readExecutors(nunet['executors'], taken),
    main: mainOf(value)
  }
}

/** @throws PluginRefusedError that says both versions. */
export function checkVersion(version: unknown): void {
  if (version === PLUGIN_API_VERSION) return
  const given = typeof version === 'number' || typeof version === 'string' ? `is for version ${version}` : 'names no version'
  throw new PluginRefusedError(`it ${given} of the plugin interface, this program has version ${PLUGIN_API_VERSION}`)
}

function readExecutors(value: JsonValue | undefined, taken: ReadonlyMap<string, string>): readonly string[] {
  const isList = Array.isArray(value) && value.length > 0 && value.length <= MAX_EXECUTORS
  if (!isList) throw new PluginRefusedError(`nunet.executors must be a list of 1 to ${MAX_EXECUTORS} names`)
  const kinds = new Set<string>()
  for (const kind of value as readonly JsonValue[]) {
    if (typeof kind !== 'string' || !KIND.test(kind)) {
      throw new PluginRefusedError(`nunet.executors: ${JSON.stringify(kind)} is no name: lower-case letters, digits, - and _`)
    }
    const owner = taken.get(kind)
    if (owner !== undefined) throw new PluginRefusedError(`nunet.executors: ${kind} is the name of an executor of ${owner}`)
    kinds.add(kind)
  }
  return [...kinds]
}

/** The module that the package exports at `.`, as npm's documentation has it, for the forms that plugins need. */
function mainOf({ exports, main }: { readonly [name: string]: JsonValue }): string {
  const root = isJsonObject(exports) && exports['.'] !== undefined ? exports['.'] : exports
  const found = typeof root === 'string' ? root : isJsonObject(root) ? (root['import'] ?? root['default']) : main
  if (typeof found === 'string' && found !== '') return found
  if (exports === undefined && main === undefined) return 'index.js'
  throw new PluginRefusedError('its package.json does not say which module it is: write "exports": "./index.js"')
}
