import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import { encodeProtobuf, type ProtobufField } from '../protobuf.ts'
import { MAX_RELAY_ADDRESSES, parseReservation } from './reserve.ts'

const STATUS = { number: 1, value: 2n }
const OK = { number: 5, value: 100n }

function answer(...fields: readonly ProtobufField[]): Uint8Array {
  return encodeProtobuf(fields)
}

function reservation(...fields: readonly ProtobufField[]): ProtobufField {
  return { number: 3, value: encodeProtobuf(fields) }
}

describe('the answer of a relay', () => {
  test.each([
    ['that is cut off', Uint8Array.of(0x1a, 0x05), 'is no message'],
    ['that is empty', new Uint8Array(), 'did not answer with a status'],
    ['of another type', answer({ number: 1, value: 1n }, OK), 'did not answer with a status'],
    ['without a reservation', answer(STATUS, OK), 'without an end'],
    ['without an end', answer(STATUS, OK, reservation()), 'without an end']
  ])('%s is none', (_case, message, reason) => {
    expect(() => parseReservation(message)).toThrow(reason)
  })

  test.each([
    [200n, 'it has no place left'],
    [202n, 'it does not permit it'],
    [999n, 'status 999']
  ])('of status %s is a refusal with its reason', (status, reason) => {
    const refusal = answer(STATUS, { number: 5, value: status })
    expect(() => parseReservation(refusal)).toThrow(
      expect.objectContaining({ name: 'ReservationRefusedError', message: `the relay refused a reservation: ${reason}` })
    )
  })

  test('tells when it ends and where the relay is, without what is no address', () => {
    const addresses = ['/ip4/45.10.0.1/tcp/9000', '/ip4/45.10.0.1/udp/9000/quic-v1'].map((text) => multiaddr(text))
    const { expiresAt, addresses: told } = parseReservation(
      answer(STATUS, OK, {
        ...reservation(
          { number: 1, value: 1_800_000_000n },
          { number: 2, value: Uint8Array.of(255, 255, 255) },
          ...addresses.map(({ bytes }) => ({ number: 2, value: bytes }))
        )
      })
    )
    expect(expiresAt).toBe(1_800_000_000_000)
    expect(told.map(String)).toEqual(addresses.map(String))
  })

  test('is bounded in what it can say', () => {
    const { bytes } = multiaddr('/ip4/45.10.0.1/tcp/9000')
    const many = Array.from({ length: 100 }, () => ({ number: 2, value: bytes }))
    const parsed = parseReservation(answer(STATUS, OK, reservation({ number: 1, value: 2n ** 64n - 1n }, ...many)))
    expect(parsed.addresses).toHaveLength(MAX_RELAY_ADDRESSES)
    expect(Number.isSafeInteger(parsed.expiresAt)).toBe(true)
  })
})
