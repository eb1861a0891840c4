import { BadWalletAnswerError } from './errors.ts'

/** Bytes of every packet on the line, in both directions. */
export const PACKET_LENGTH = 64

/** All packets of one conversation carry this channel; the device sends it back. */
const CHANNEL = 0x0101

/** A packet that carries a piece of an APDU. */
const TAG_APDU = 0x05

/** Channel, tag and sequence number. */
const HEADER_LENGTH = 5

const BODY_LENGTH = PACKET_LENGTH - HEADER_LENGTH

/** Longest data that is taken from a device, in bytes: far over any answer of the Ethereum app. */
export const MAX_FRAMED = 1024

/**
 * Cuts data into packets: its length in two bytes and the data, in pieces of 59 bytes filled up with zeros, each after channel, tag
 * and a sequence number that counts from 0.
 *
 * @param data - At most 65 535 bytes.
 */
export function toPackets(data: Uint8Array): readonly Uint8Array[] {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(data.length)
  const whole = Buffer.concat([length, data])
  return Array.from({ length: Math.ceil(whole.length / BODY_LENGTH) }, (_, sequence) => {
    const packet = Buffer.alloc(PACKET_LENGTH)
    packet.writeUInt16BE(CHANNEL, 0)
    packet.writeUInt8(TAG_APDU, 2)
    packet.writeUInt16BE(sequence, 3)
    whole.copy(packet, HEADER_LENGTH, sequence * BODY_LENGTH, (sequence + 1) * BODY_LENGTH)
    return packet
  })
}

/** Puts the packets of one answer together. */
export interface Reassembly {
  /**
   * Takes the next packet.
   *
   * @returns The whole data once it is complete.
   * @throws BadWalletAnswerError for a packet that cannot be the next one: wrong length, channel, tag or sequence number, or an
   *   announced length over {@link MAX_FRAMED}.
   */
  add(packet: Uint8Array): Uint8Array | undefined
}

/** Begins a {@link Reassembly}. */
export function createReassembly(): Reassembly {
  let expected = 0
  let length = 0
  let received = Buffer.alloc(0)
  return {
    add(packet) {
      const body = bodyOf(packet, expected)
      if (expected === 0) length = announcedLength(body)
      expected += 1
      received = Buffer.concat([received, expected === 1 ? body.subarray(2) : body])
      return received.length >= length ? Uint8Array.from(received.subarray(0, length)) : undefined
    }
  }
}

function bodyOf(packet: Uint8Array, sequence: number): Buffer {
  const data = Buffer.from(packet)
  if (data.length !== PACKET_LENGTH) throw broken(`a packet of ${data.length} bytes instead of ${PACKET_LENGTH}`)
  const [channel, tag, number] = [data.readUInt16BE(0), data.readUInt8(2), data.readUInt16BE(3)]
  if (channel !== CHANNEL) throw broken(`a packet of channel ${channel}`)
  if (tag !== TAG_APDU) throw broken(`a packet with tag ${tag}`)
  if (number !== sequence) throw broken(`packet ${number} where packet ${sequence} was due`)
  return data.subarray(HEADER_LENGTH)
}

function announcedLength(body: Buffer): number {
  const length = body.readUInt16BE(0)
  if (length > MAX_FRAMED) throw broken(`an answer of ${length} bytes, at most ${MAX_FRAMED} are taken`)
  return length
}

function broken(what: string): BadWalletAnswerError {
  return new BadWalletAnswerError(`the Ledger sent ${what}; another program may be using it: close that and try again`)
}
