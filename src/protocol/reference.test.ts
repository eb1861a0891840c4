import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { define, type PublicBehavior } from './behavior.ts'
import { BEHAVIORS } from './catalog.ts'
import { examplesOf } from './example.ts'
import { renderBehaviorReference } from './reference.ts'

type AnyBehavior = PublicBehavior<unknown, unknown>

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))

/** What the files of this module export, whether their face does or not. */
async function exportsOfModule(): Promise<readonly unknown[]> {
  const modules = await Promise.all(
    files.map(async (name) => (await import(/* @vite-ignore */ join(import.meta.dirname, name))) as Record<string, unknown>)
  )
  return modules.flatMap((exported) => Object.values(exported))
}

function isBehavior(value: unknown): value is AnyBehavior {
  return typeof value === 'object' && value !== null && 'callers' in value && 'request' in value
}

function isFactory(value: unknown): value is (id: string) => AnyBehavior {
  return typeof value === 'function' && value !== define && /\bdefine\)?\(/.test(String(value))
}

describe('the catalogue of behaviours', () => {
  test('has no name twice', () => {
    const names = BEHAVIORS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  test('has every behaviour that a file of this module defines', async () => {
    const exported = await exportsOfModule()
    const defined = exported.filter(isBehavior)
    const made = exported.filter(isFactory).map((factory) => factory('<ensemble id>'))
    expect(made.length).toBeGreaterThan(0)
    const names = [...defined, ...made].map(({ name }) => name)
    expect([...new Set(names)].sort()).toEqual(BEHAVIORS.map(({ name }) => name).sort())
  })

  test.each(BEHAVIORS.map((behavior) => [behavior.name, behavior] as const))('%s has examples that decode', (_, behavior) => {
    const examples = examplesOf(behavior)
    for (const part of ['request', 'reply'] as const) {
      const decoded = behavior[part].decode(examples[part])
      expect(decoded.ok ? [] : decoded.error).toEqual([])
      if (decoded.ok) expect(behavior[part].encode(decoded.value)).toEqual(examples[part])
    }
  })
})

describe('the reference page of behaviours', () => {
  const page = renderBehaviorReference()

  test('is printed the same every time', () => {
    expect(renderBehaviorReference()).toBe(page)
  })

  test('has a heading for each behaviour, with its summary below', () => {
    for (const { name, summary } of BEHAVIORS) expect(page).toContain(`### \`${name}\`\n\n${summary}\n`)
  })

  test('names the members of requests and replies with their paths', () => {
    expect(page).toContain('| `allocation_info.<name>.exit_code` ? | integer |')
    expect(page).toContain('| `peers[].peer_id` | text |')
    expect(page).toContain('| `Allocations` | map of [Handle](#handle) |')
  })

  test('has examples that are JSON and that keep colons and commas in texts as they are', () => {
    const examples = [...page.matchAll(/```json\n([^`]*)```/g)].map(([, example = '']) => JSON.parse(example) as unknown)
    expect(examples.length).toBeGreaterThan(BEHAVIORS.length)
    expect(JSON.stringify(examples)).toContain('"did:key:')
  })

  test('says of a broadcast on which topic it goes', () => {
    expect(page).toContain('Callers: *broadcast*. Topic: `/nunet/hello`.')
  })
})
