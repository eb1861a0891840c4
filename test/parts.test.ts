import { afterEach, expect, test, vi } from 'vitest'
import { needPart } from './support/parts.ts'

const missing = { available: false, reason: 'its socket does not answer' } as const

afterEach(() => {
  vi.unstubAllEnvs()
})

function skipper(): { readonly notes: string[]; skip(note?: string | boolean): never } {
  const notes: string[] = []
  return {
    notes,
    skip: (note) => {
      notes.push(String(note))
      throw new Error('skipped')
    }
  }
}

test('a missing part that is required fails its test', () => {
  vi.stubEnv('DMS_TEST_REQUIRE', 'wasm,docker')
  const context = skipper()
  expect(() => needPart(context, 'docker', missing)).toThrow('docker is required here, but its socket does not answer')
  expect(context.notes).toEqual([])
})

test('a missing part that is not required skips its test with the reason', () => {
  vi.stubEnv('DMS_TEST_REQUIRE', 'wasm')
  const context = skipper()
  expect(() => needPart(context, 'docker', missing)).toThrow('skipped')
  expect(context.notes).toEqual(['docker is not available: its socket does not answer'])
})

test('a part that is here is used', () => {
  vi.stubEnv('DMS_TEST_REQUIRE', 'docker')
  expect(() => needPart(skipper(), 'docker', { available: true })).not.toThrow()
})
