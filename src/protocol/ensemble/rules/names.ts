import { isJsonObject, type JsonValue } from '../../../base/index.ts'
import { MAX_NAMED } from '../model.ts'
import type { NameRule } from '../object-schema.ts'
import { below, type Place, refuse, suggestion } from '../reading.ts'
import { list, type Schema, text } from '../schema.ts'

/**
 * Names of allocations and nodes: one DNS label.
 *
 * No dots, because `<node>.<allocation>` is a key (C §15.1, 14); no slashes, because providers make paths of them (C §15.4, 3).
 */
export const LABEL: NameRule = {
  pattern: /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/,
  expected: 'letters, digits and inner hyphens, at most 63, without dots'
}

/** Names of scripts, keys, contracts and templates: safe as the last part of a path. */
export const FILE_NAME: NameRule = {
  pattern: /^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,126}[a-zA-Z0-9_-])?$/,
  expected: 'letters, digits, dots, hyphens and underscores, at most 128, beginning with a letter or digit'
}

/** Keys of the metadata. */
export const METADATA_KEY: NameRule = { pattern: /^[^\0]{1,256}$/, expected: '1 to 256 characters', mayDifferInCase: true }

/** A reference to an allocation or node. */
export const label: Schema<string> = text({ ...LABEL, about: 'name' })

/** References to allocations: more than there can be are refused before they are compared. */
export const labels: Schema<readonly string[]> = list(label, MAX_NAMED)

/** A reference to a script, key or contract. */
export const fileName: Schema<string> = text({ ...FILE_NAME, about: 'name' })

/** A host name of at most 253 characters in labels of at most 63. */
export const hostName: Schema<string> = text({
  about: 'host name',
  max: 253,
  pattern: /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/,
  expected: 'a host name: labels of letters, digits and inner hyphens, at most 63 each, between dots'
})

/** A libp2p peer id. */
export const peerId: Schema<string> = text({
  about: 'peer id',
  max: 128,
  pattern: /^[a-zA-Z0-9]+$/,
  expected: 'a peer id: letters and digits'
})

/** A decentralized identifier. */
export const didText: Schema<string> = text({
  about: 'DID',
  max: 512,
  pattern: /^did:[a-z0-9]+:\S+$/,
  expected: 'a DID such as did:key:z6Mk…'
})

/** Parts of the file that are referred to by name. */
type TemplateKind = 'resources' | 'volumes' | 'keys'

/**
 * The same schema where a file may also give the name of a template at its top level (C §7.3, 2).
 *
 * Errors inside the template are reported at the template.
 */
export function fromTemplate<T>(kind: TemplateKind, schema: Schema<T>): Schema<T> {
  return {
    ...schema,
    about: `${schema.about}, or a name from \`${kind}\``,
    read(value, place) {
      if (place.reading.dialect === 'wire' || typeof value !== 'string') return schema.read(value, place)
      const [sectionName, section] = templates(kind, place)
      const found = Object.entries(section).find(([name]) => name.toLowerCase() === value.toLowerCase())
      if (found !== undefined) {
        return schema.read(found[1], below({ reading: place.reading, path: [sectionName] }, found[0]))
      }
      if (value === '') return refuse(place, `must be ${schema.about}, is empty`)
      const names = Object.keys(section)
      const known = names.length === 0 ? `there are no ${kind} at the top level` : `known are ${names.slice(0, 16).join(', ')}`
      return refuse(place, `${JSON.stringify(value.slice(0, 64))} is not in ${kind}: ${known}${suggestion(value, names)}`)
    }
  }
}

function templates(kind: TemplateKind, { reading }: Place): readonly [string, Readonly<Record<string, JsonValue>>] {
  const members = Object.entries(isJsonObject(reading.root) ? reading.root : {})
  const [name, section] = members.find(([key]) => key.toLowerCase() === kind) ?? [kind, null]
  return [name, isJsonObject(section) ? section : {}]
}
