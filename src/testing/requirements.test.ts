import { afterEach, expect, test, vi } from 'vitest'
import { requirement } from './requirements.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

const missing = async () => ({ available: false, reason: 'no socket' }) as const

test('a missing part that is required is an error with the reason', async () => {
  vi.stubEnv('DMS_TEST_REQUIRE', 'wasm, docker')
  await expect(requirement('docker', missing)).rejects.toThrow('docker, which is not available: no socket')
})

test('a missing part that is not required puts its reason into the title', async () => {
  vi.stubEnv('DMS_TEST_REQUIRE', 'wasm')
  const found = await requirement('docker', missing)
  expect(found.available).toBe(false)
  expect(found.title('docker executor')).toBe('docker executor (skipped: docker: no socket)')
})

test('a probe that throws counts as missing', async () => {
  vi.stubEnv('DMS_TEST_REQUIRE', '')
  const found = await requirement('docker', () => Promise.reject(new Error('refused')))
  expect(found).toMatchObject({ available: false, reason: 'refused' })
})

test('a part that is there leaves the title alone', async () => {
  const found = await requirement('docker', async () => ({ available: true }))
  expect(found.title('docker executor')).toBe('docker executor')
})
