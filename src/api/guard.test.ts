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
