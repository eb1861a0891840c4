import { expect, test } from 'vitest'
import { bytes } from '../../base/index.ts'
import { type BidItem, judge, type ProviderFacts } from './answer.ts'

const amount = (cpuCores: number) => ({ cpuCores, memory: bytes(100), disk: bytes(100), gpus: [] })

const item: BidItem = {
  nodeId: 'node1',
  executors: ['docker'],
  amount: amount(1),
  architecture: '',
  place: { accept: [], reject: [] },
  privileged: false,
  gpus: [],
  ports: 0,
  contracts: false
}

const facts: ProviderFacts = {
  offer: amount(2),
  free: amount(1),
  architecture: 'x86_64',
  cards: [],
  executors: new Set(['docker']),
  allowPrivileged: false,
  place: { continent: 'EU', country: 'DE', city: '' }
}

test.each<readonly [string, Partial<BidItem>, Partial<ProviderFacts>]>([
  ['this machine is not onboarded', {}, { offer: undefined }],
  ['no executor wasm here', { executors: ['docker', 'wasm'] }, {}],
  ['privileged containers are not allowed here', { privileged: true }, {}],
  ['architecture aarch64 wanted, this is x86_64', { architecture: 'aarch64' }, {}],
  ['ports are not offered here', { ports: 1 }, {}],
  ['contracts are not supported here', { contracts: true }, {}],
  ['the location does not fit', { place: { accept: [{ continent: 'AS' }], reject: [] } }, {}],
  ['the location does not fit', { place: { accept: [], reject: [{ continent: 'eu', country: 'de' }] } }, {}],
  ['more than this machine lends: 3 CPU cores wanted, 2 free', { amount: amount(3) }, {}],
  ['not free now: 2 CPU cores wanted, 1 free', { amount: amount(2) }, {}]
])('says nothing because %s', (reason, itemChanges, factChanges) => {
  expect(judge({ ...item, ...itemChanges }, { ...facts, ...factChanges })).toEqual({ ok: false, error: reason })
})

test('bids when everything fits, an exact fit and a matching place included', () => {
  const place = { accept: [{ continent: 'AS' }, { continent: 'EU', country: '', city: undefined }], reject: [] }
  expect(judge({ ...item, place, architecture: 'x86_64' }, facts)).toEqual({ ok: true, value: [] })
})
