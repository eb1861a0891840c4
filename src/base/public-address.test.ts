import { describe, expect, test } from 'vitest'
import { type AddressLookup, createPublicLookup, isPublicAddress, PrivateAddressError, refusePrivateLiteral } from './index.ts'

describe('an address', () => {
  test.each([
    '127.0.0.1',
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '169.254.169.254',
    '172.31.255.255',
    '192.168.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    '::ffff:10.0.0.1',
    '::ffff:a00:1',
    'fe80::1%eth0',
    'fd00::1',
    'fd00:ec2::254',
    'ff02::1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
    '2001:db8::1',
    'localhost',
    '1',
    ''
  ])('%j is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  test.each(['1.1.1.1', '172.32.0.1', '100.128.0.1', '::ffff:8.8.8.8', '2606:4700:4700::1111'])('%j is public', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  test('in a URL is looked at with and without brackets', () => {
    expect(() => refusePrivateLiteral('[::1]')).toThrow(PrivateAddressError)
    expect(() => refusePrivateLiteral('169.254.169.254')).toThrow('169.254.169.254 is not a public address')
    refusePrivateLiteral('8.8.8.8')
    refusePrivateLiteral('registry.example')
  })
})

function answering(...addresses: readonly string[]): AddressLookup {
  return (_host, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    )
}

function ask(lookup: AddressLookup, all: boolean): Promise<unknown> {
  return new Promise((resolve, reject) => {
    createPublicLookup(lookup)('some.example', { all }, (error, address) => (error === null ? resolve(address) : reject(error)))
  })
}

describe('a name', () => {
  test('with one private address among public ones is refused', async () => {
    await expect(ask(answering('1.1.1.1', '10.0.0.1'), true)).rejects.toThrow('some.example (10.0.0.1) is not a public address')
    await expect(ask(answering('::1'), false)).rejects.toThrow(PrivateAddressError)
  })

  test('without addresses is an error', async () => {
    await expect(ask(answering(), false)).rejects.toThrow('some.example has no address')
  })

  test('with public addresses is connected to at what was looked at', async () => {
    expect(await ask(answering('1.1.1.1', '8.8.8.8'), false)).toBe('1.1.1.1')
    expect(await ask(answering('1.1.1.1'), true)).toEqual([{ address: '1.1.1.1', family: 4 }])
  })
})
