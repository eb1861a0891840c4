import { expect, test } from 'vitest'
import { createGuard } from './guard.ts'

test.each([undefined, '', ':9999', '192.0.2.7', '[::1', 'node.example'])(
  'the host %j is refused on a loopback address',
  (host) => {
    expect(() => createGuard('127.0.0.1').check({ host })).toThrow('does not name this node (localhost, 127.0.0.1, [::1])')
  }
)

test.each(['node.example', '1.2.3.4.example', '[fe80::1]x'])('the name %j is refused on a wildcard address', (host) => {
  expect(() => createGuard('0.0.0.0').check({ host })).toThrow('does not name this node')
})

test.each(['cross-site', 'same-site', 'unknown', ''])(
  'what a page of %j sends without an origin, such as a picture, is refused',
  (site) => {
    expect(() => createGuard('127.0.0.1').check({ host: 'localhost', 'sec-fetch-site': site })).toThrow('web pages may not use')
    expect(() => createGuard(undefined).check({ 'sec-fetch-site': site })).toThrow('web pages may not use')
  }
)

test.each(['none', 'same-origin'])('what a person opens in a browser is let through: %s', (site) => {
  expect(createGuard('127.0.0.1').check({ host: 'localhost', 'sec-fetch-site': site })).toEqual({})
})

test('an allowed page is let through whatever site it is', () => {
  const headers = { host: 'localhost', origin: 'http://localhost:9991', 'sec-fetch-site': 'same-site' }
  expect(createGuard('127.0.0.1').check(headers)).toMatchObject({ 'Access-Control-Allow-Origin': headers.origin })
})

test('on a socket any host is let through, but no foreign page', () => {
  expect(createGuard(undefined).check({ host: 'dms' })).toEqual({})
  expect(createGuard(undefined).check({})).toEqual({})
  expect(() => createGuard(undefined).check({ origin: 'null' })).toThrow('may not use this interface')
})

test.each(['192.0.2.7:9999', '[2001:db8::1]:9999', '0.0.0.0:9999'])(
  'the address %s is let through on a wildcard address',
  (host) => {
    expect(createGuard('0.0.0.0').check({ host })).toEqual({})
    expect(createGuard('::').check({ host })).toEqual({})
  }
)

test.each([
  ['node.example', 'Node.Example:9999'],
  ['2001:db8::7', '[2001:DB8::7]:9999']
])('the configured address %s is let through as %s', (configured, host) => {
  expect(createGuard(configured).check({ host })).toEqual({})
})
