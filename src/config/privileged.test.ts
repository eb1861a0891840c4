import { expect, test } from 'vitest'
import { mayBePrivileged } from './privileged.ts'
import type { Config } from './schema.ts'

const job = (isAllowed: boolean, dids: readonly string[]): Pick<Config, 'job'> => ({
  job: {
    allow_privileged_docker: isAllowed,
    privileged_dids: dids,
    egress: 'public',
    require_contracts_for_deployment: false
  }
})

test('privileged containers are of nobody unless they are allowed, whoever is named', () => {
  expect(mayBePrivileged(job(false, []), 'did:key:a')).toBe(false)
  expect(mayBePrivileged(job(false, ['did:key:a']), 'did:key:a')).toBe(false)
})

test('privileged containers are of those alone who are named, else of everybody', () => {
  const named = job(true, ['did:key:a'])
  expect(['did:key:b', 'did:key:ab', 'did:key:a'].map((did) => mayBePrivileged(named, did))).toEqual([false, false, true])
  expect(mayBePrivileged(job(true, []), 'did:key:b')).toBe(true)
})
