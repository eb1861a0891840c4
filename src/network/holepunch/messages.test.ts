import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { encodeProtobuf } from '../protobuf.ts'
import { encodeHolePunch, parseHolePunch } from './messages.ts'

const ADDRESS = multiaddr('/ip4/45.10.0.2/tcp/9000')

test.each([
  ['cut off', Uint8Array.of(0x12, 0x20)],
  ['empty', new Uint8Array()],
  ['of an unknown type', encodeProtobuf([{ number: 1, value: 200n }])]
])('a message that is %s is refused', (_case, message) => {
  expect(() => parseHolePunch(message)).toThrow(RangeError)
})

test('messages have the bytes that go-libp2p writes', () => {
  expect(Buffer.from(encodeHolePunch({ type: 'sync' })).toString('hex')).toBe('08ac02')
  expect(Buffer.from(encodeHolePunch({ type: 'connect', addresses: [ADDRESS] })).toString('hex')).toBe('08641208042d0a0002062328')
})

test('a message is read as it was written', () => {
  expect(parseHolePunch(encodeHolePunch({ type: 'sync' }))).toEqual({ type: 'sync' })
  const read = parseHolePunch(encodeHolePunch({ type: 'connect', addresses: [ADDRESS] }))
  expect(read.type === 'connect' && read.addresses.map(String)).toEqual([ADDRESS.toString()])
})

test('what is no address is left out, and more than a few are not dialled', () => {
  const fields = [
    { number: 1, value: 100n },
    { number: 2, value: Uint8Array.of(255) }
  ]
  const many = Array.from({ length: 50 }, () => ({ number: 2, value: ADDRESS.bytes }))
  const read = parseHolePunch(encodeProtobuf([...fields, ...many]))
  expect(read.type === 'connect' && read.addresses).toHaveLength(4)
})
