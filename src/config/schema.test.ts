import { describe, expect, test } from 'vitest'
import { parseJson } from '../base/index.ts'
import { KEYS, variableOf } from './keys.ts'
import { renderConfigReference } from './reference.ts'
import { DEPRECATED_KEYS } from './schema.ts'

describe('the schema', () => {
  test.each(KEYS.map(({ name, key }) => [name, key] as const))('has a default for %s that its own type accepts', (_name, key) => {
    const parsed = parseJson(JSON.stringify(key.default))
    expect(parsed.ok && key.type.read(parsed.value)).toEqual({ ok: true, value: key.default })
    expect(key.doc).toMatch(/\.$/)
  })

  test.each(KEYS.map(({ name, key }) => [name, key.type] as const))(
    'has a type for %s that takes its examples and refuses its counterexamples',
    (_name, type) => {
      const isTaken = (text: string): boolean => {
        const value = type.fromText(text)
        return value.ok && type.read(value.value).ok
      }
      expect(type.examples.length).toBeGreaterThan(0)
      expect(type.counterexamples.length).toBeGreaterThan(0)
      expect(type.examples.filter((text) => !isTaken(text))).toEqual([])
      expect(type.counterexamples.filter(isTaken)).toEqual([])
    }
  )

  test('has a successor for every deprecated key', () => {
    const names = KEYS.map(({ name }) => name)
    for (const successor of Object.values(DEPRECATED_KEYS)) expect(names).toContain(successor)
  })

  test('has an environment variable of its own for every key', () => {
    const variables = [...KEYS.map(({ name }) => name), ...Object.keys(DEPRECATED_KEYS)].map(variableOf)
    expect(new Set(variables).size).toBe(variables.length)
    expect(variables).not.toContain('DMS_PASSPHRASE')
    expect(variables).not.toContain('DMS_CONN_LOGS')
  })
})

describe('the reference page', () => {
  const page = renderConfigReference()

  test('has a row with the default of every key', () => {
    for (const { name } of KEYS) expect(page).toContain(`| \`${name}\``)
    expect(page).toContain('| `rest.port` | port, 0 to 65535 | `9999` | Port of the REST interface. `DMS_REST_PORT`. |')
  })

  test('marks keys that nothing reads yet and lists the deprecated ones', () => {
    expect(page).toMatch(/\| `apm\.server_url` † .* \*Accepted, no effect yet\.\* \|/)
    expect(page).toContain('| `observability.log_level` | `observability.logging.level` |')
  })
})
