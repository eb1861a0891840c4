import { err, errorMessage, ok, type Result } from '../base/index.ts'

/** A field of a protobuf message; numbers are the plain varints of the wire, texts are UTF-8 bytes. */
export interface ProtobufField {
  readonly number: number
  readonly value: bigint | Uint8Array
}

const VARINT = 0
const FIXED_64 = 1
const BYTES = 2
const FIXED_32 = 5

/** The longest varint: 64 bits in groups of seven. */
const MAX_VARINT = 10

/** Writes fields in the given order. Negative numbers take ten bytes, as protobuf's `int64` does. */
export function encodeProtobuf(fields: readonly ProtobufField[]): Uint8Array {
  const parts = fields.flatMap(({ number, value }) =>
    typeof value === 'bigint'
      ? [varint(BigInt(number * 8 + VARINT)), varint(value)]
      : [varint(BigInt(number * 8 + BYTES)), varint(BigInt(value.length)), value]
  )
  return new Uint8Array(Buffer.concat(parts))
}

/** Reads the fields of a message in their order; those of fixed width are left out. The bytes are views of `message`. */
export function decodeProtobuf(message: Uint8Array): Result<readonly ProtobufField[], string> {
  const fields: ProtobufField[] = []
  const reader = createReader(message)
  try {
    while (!reader.atEnd()) {
      const key = Number(reader.varint())
      const number = Math.floor(key / 8)
      const type = key % 8
      if (type === VARINT) fields.push({ number, value: reader.varint() })
      else if (type === BYTES) fields.push({ number, value: reader.bytes(Number(reader.varint())) })
      else if (type === FIXED_64) reader.bytes(8)
      else if (type === FIXED_32) reader.bytes(4)
      else return err(`field ${number} has wire type ${type}, which nobody uses any more`)
    }
    return ok(fields)
  } catch (error) {
    return err(errorMessage(error))
  }
}

/** The bytes of the last field of that number. */
export function bytesField(fields: readonly ProtobufField[], number: number): Uint8Array | undefined {
  const found = fields.findLast((field) => field.number === number)?.value
  return typeof found === 'bigint' ? undefined : found
}

/** The bytes of all fields of that number. */
export function bytesFields(fields: readonly ProtobufField[], number: number): readonly Uint8Array[] {
  return fields.flatMap(({ number: found, value }) => (found === number && typeof value !== 'bigint' ? [value] : []))
}

/** The number in the last field of that number. */
export function numberField(fields: readonly ProtobufField[], number: number): bigint | undefined {
  const found = fields.findLast((field) => field.number === number)?.value
  return typeof found === 'bigint' ? found : undefined
}

function varint(value: bigint): Uint8Array {
  const groups: number[] = []
  let rest = BigInt.asUintN(64, value)
  do {
    const group = Number(rest & 0x7fn)
    rest >>= 7n
    groups.push(rest === 0n ? group : group | 0x80)
  } while (rest !== 0n)
  return Uint8Array.from(groups)
}

function createReader(message: Uint8Array): {
  atEnd(): boolean
  varint(): bigint
  bytes(length: number): Uint8Array
} {
  let offset = 0
  return {
    atEnd: () => offset >= message.length,
    varint() {
      let value = 0n
      for (let group = 0; group < MAX_VARINT; group += 1) {
        const byte = message[offset]
        if (byte === undefined) throw new Error('the message ends within a number')
        offset += 1
        value |= BigInt(byte & 0x7f) << BigInt(7 * group)
        if (byte < 0x80) return BigInt.asUintN(64, value)
      }
      throw new Error(`a number has more than ${MAX_VARINT} bytes`)
    },
    bytes(length) {
      if (length > message.length - offset)
        throw new Error(`a field announces ${length} bytes, ${message.length - offset} are left`)
      const found = message.subarray(offset, offset + length)
      offset += length
      return found
    }
  }
}
