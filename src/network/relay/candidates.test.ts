import { expect, test } from 'vitest'
import { millis } from '../../base/index.ts'
import { createRelayCandidates, type IdentifiedPeer } from './candidates.ts'

const relay = (peer: string, over: Partial<IdentifiedPeer> = {}): IdentifiedPeer => ({
  peer,
  isBootstrap: false,
  isRelay: true,
  isDialable: true,
  connection: 'first',
  ...over
})

const names = (list: readonly { readonly peer: string }[]): string => list.map(({ peer }) => peer).join(' ')

test('who does not relay, or cannot be dialled by others, is no candidate', () => {
  const candidates = createRelayCandidates(8)
  candidates.identified(relay('a', { isRelay: false }))
  candidates.identified(relay('b', { isDialable: false }))
  expect(candidates.ready(millis(0))).toEqual([])
})

test('bootstrap nodes are asked first, then who came first', () => {
  const candidates = createRelayCandidates(8)
  for (const peer of ['a', 'b']) candidates.identified(relay(peer))
  candidates.identified(relay('c', { isBootstrap: true }))
  expect(names(candidates.ready(millis(0)))).toBe('c a b')
})

test('one that does not relay any more is forgotten', () => {
  const candidates = createRelayCandidates(8)
  candidates.identified(relay('a'))
  candidates.identified(relay('a', { isRelay: false }))
  expect(candidates.ready(millis(0))).toEqual([])
})

test('who refused is left alone for a while, unless it comes anew on another connection', () => {
  const candidates = createRelayCandidates(8)
  for (const peer of ['a', 'b']) candidates.identified(relay(peer))
  candidates.postpone('a', millis(30))
  candidates.postpone('b', millis(40))
  candidates.postpone('stranger', millis(10))
  expect(names(candidates.ready(millis(29)))).toBe('')
  expect(candidates.nextReady(millis(29))).toBe(30)
  expect(names(candidates.ready(millis(30)))).toBe('a')
  candidates.identified(relay('b'))
  expect(names(candidates.ready(millis(30)))).toBe('a')
  candidates.identified(relay('b', { connection: 'second' }))
  expect(names(candidates.ready(millis(30)))).toBe('a b')
  expect(candidates.nextReady(millis(30))).toBeUndefined()
})

test('nobody can fill the list so that a bootstrap node has no place', () => {
  const candidates = createRelayCandidates(2)
  for (const peer of ['a', 'b', 'c']) candidates.identified(relay(peer))
  candidates.identified(relay('d', { isBootstrap: true }))
  expect(names(candidates.ready(millis(0)))).toBe('d a b')
})
