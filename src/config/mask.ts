import { encodeGoJson, isJsonObject, type JsonValue, parseJson } from '../base/index.ts'
import { KEYS } from './keys.ts'
import type { Config } from './schema.ts'

/** What stands in place of a secret. */
export const MASK = '********'

/** The configuration with its secrets masked, for the screen of its owner; what is empty stays empty. */
export function maskSecrets(config: Config): JsonValue {
  const secrets = new Set(KEYS.filter(({ key }) => key.isSecret).map(({ name }) => name))
  return convert(config, (name, text) => (secrets.has(name) && text !== '' ? MASK : text))
}

/**
 * The same for messages: also without what texts may hide, which are those that are set for external providers, and what addresses
 * of services carry beside the service (a password, a key in the path).
 */
export function shareableConfig(config: Config): JsonValue {
  return convert(maskSecrets(config), (name, text) => {
    if (name.startsWith(PROVIDER_SETTINGS)) return MASK
    return URL.canParse(text) && /^\w+:\/\//.test(text) ? originOf(new URL(text)) : text
  })
}

const PROVIDER_SETTINGS = 'general.providers.config'

function originOf({ protocol, host, pathname, search, hash, username, password }: URL): string {
  const rest = `${username}${password}${search}${hash}${pathname === '/' ? '' : pathname}`
  return `${protocol}//${host}${rest === '' ? '' : `/${MASK}`}`
}

/** Every text with its dotted name, in which lists do not count. */
function convert(value: unknown, change: (name: string, text: string) => string): JsonValue {
  const json = parseJson(encodeGoJson(value))
  return json.ok ? convertMember(json.value, '', change) : null
}

function convertMember(value: JsonValue, name: string, change: (name: string, text: string) => string): JsonValue {
  if (typeof value === 'string') return change(name, value)
  if (Array.isArray(value)) return value.map((item: JsonValue) => convertMember(item, name, change))
  if (!isJsonObject(value)) return value
  const members = Object.entries(value)
  return Object.fromEntries(
    members.map(([member, inner]) => [member, convertMember(inner, name === '' ? member : `${name}.${member}`, change)])
  )
}
