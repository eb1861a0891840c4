import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createReassembly, MAX_FRAMED, PACKET_LENGTH, toPackets } from './hid-framing.ts'

const hex = (data: Uint8Array | undefined): string => Buffer.from(data ?? []).toString('hex')

/** A packet from its first bytes, filled up with zeros. */
function packet(start: string): Uint8Array {
  const data = Buffer.alloc(PACKET_LENGTH)
  Buffer.from(start, 'hex').copy(data)
  return data
}

describe('an answer on USB', () => {
  test.each([
    ['has another length', Buffer.alloc(63), 'a packet of 63 bytes instead of 64'],
    ['is empty', Buffer.alloc(0), 'a packet of 0 bytes'],
    ['has another channel', packet('010205000000029000'), 'a packet of channel 258'],
    ['has another tag', packet('010102000000029000'), 'a packet with tag 2'],
    ['does not begin with 0', packet('010105000100029000'), 'packet 1 where packet 0 was due'],
    ['announces more than any answer', packet('0101050000ffff9000'), 'an answer of 65535 bytes']
  ])('is refused when a packet %s', (_name, data, reason) => {
    expect(() => createReassembly().add(data)).toThrow(reason)
  })

  test('is refused when a packet is repeated or left out', () => {
    const [first = packet(''), second = packet(''), third = packet('')] = toPackets(new Uint8Array(150).fill(7))
    const repeated = createReassembly()
    repeated.add(first)
    expect(() => repeated.add(first)).toThrow('packet 0 where packet 1 was due')
    const skipped = createReassembly()
    skipped.add(first)
    expect(() => skipped.add(third)).toThrow('packet 2 where packet 1 was due')
    expect(second.length).toBe(64)
  })

  test('of two bytes of status is one packet', () => {
    expect(hex(createReassembly().add(packet('010105000000029000')))).toBe('9000')
  })

  test('never throws anything but the refusal of a bad answer, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 60, maxLength: 66 }), { maxLength: 5 }), (packets) => {
        const reassembly = createReassembly()
        for (const data of packets) {
          try {
            reassembly.add(data)
          } catch (error) {
            expect(error).toMatchObject({ code: 'WALLET_BAD_ANSWER' })
            return
          }
        }
      })
    )
  })
})

describe('a command on USB', () => {
  test('is its length and bytes after channel, tag and number, filled up with zeros', () => {
    const command = 'e0020000150' + '58000002c8000003c800000000000000000000000'
    const [only, ...others] = toPackets(Buffer.from(command, 'hex'))
    expect(others).toEqual([])
    expect(hex(only)).toBe(`01010500000${'01a'}${command}${'0'.repeat(128 - 14 - command.length)}`)
  })

  test('goes on in a second packet after 57 bytes, without a length', () => {
    const packets = toPackets(Buffer.from('aa'.repeat(58), 'hex')).map(hex)
    expect(packets).toEqual([`0101050000003a${'aa'.repeat(57)}`, `0101050001aa${'00'.repeat(58)}`])
  })

  test('comes together again, for every length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: MAX_FRAMED }), (data) => {
        const reassembly = createReassembly()
        const packets = toPackets(data)
        const results = packets.map((each) => reassembly.add(each))
        expect(results.slice(0, -1).every((result) => result === undefined)).toBe(true)
        expect(hex(results.at(-1))).toBe(hex(data))
        expect(packets.every(({ length }) => length === PACKET_LENGTH)).toBe(true)
      })
    )
  })
})
