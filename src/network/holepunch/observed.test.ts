import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { type Clock, millis, minutes, systemClock } from '../../base/index.ts'
import { createObservedAddresses, MAX_BELIEVED, type ObservedAddresses } from './observed.ts'

let now = millis(0)
const clock: Clock = { ...systemClock, now: () => now }

function report(observed: ObservedAddresses, address: string, from: string, isTrusted = false): void {
  observed.report({ address: multiaddr(`/ip4/${address}/tcp/9000`), from: multiaddr(`/ip4/${from}/tcp/9000`), isTrusted })
}

const believed = (observed: ObservedAddresses): string =>
  observed
    .believed()
    .map((address) => address.toString().split('/')[2])
    .join(' ')

test('one stranger is not believed, however often it says so, nor two of one network', () => {
  const observed = createObservedAddresses(clock)
  report(observed, '45.10.0.2', '8.8.8.8')
  report(observed, '45.10.0.2', '8.8.4.4')
  report(observed, '45.10.0.2', '8.8.8.8')
  expect(believed(observed)).toBe('')
})

test('two of different networks are, and a trusted one at once', () => {
  const observed = createObservedAddresses(clock)
  report(observed, '45.10.0.2', '8.8.8.8')
  report(observed, '45.10.0.2', '9.9.9.9')
  report(observed, '45.10.0.3', '1.1.1.1', true)
  expect(believed(observed)).toBe('45.10.0.3 45.10.0.2')
})

test('private addresses mean nothing to others', () => {
  const observed = createObservedAddresses(clock)
  report(observed, '192.168.1.4', '1.1.1.1', true)
  expect(believed(observed)).toBe('')
})

test('nobody can crowd out what is believed by many reports', () => {
  const observed = createObservedAddresses(clock)
  report(observed, '45.10.9.9', '1.1.1.1', true)
  for (let last = 1; last <= 200; last += 1) report(observed, `45.10.0.${last}`, '8.8.8.8')
  expect(believed(observed)).toBe('45.10.9.9')
})

test('others are told a few, the latest first', () => {
  const observed = createObservedAddresses(clock)
  for (let last = 1; last <= 200; last += 1) report(observed, `45.10.0.${last}`, '1.1.1.1', true)
  expect(observed.believed()).toHaveLength(MAX_BELIEVED)
  expect(believed(observed)).toBe('45.10.0.200 45.10.0.199 45.10.0.198 45.10.0.197')
})

test('what nobody says any more is forgotten, and everything when this machine moves', () => {
  const observed = createObservedAddresses(clock)
  report(observed, '45.10.0.2', '1.1.1.1', true)
  now = minutes(31)
  expect(believed(observed)).toBe('')
  report(observed, '45.10.0.3', '1.1.1.1', true)
  observed.clear()
  expect(believed(observed)).toBe('')
})
