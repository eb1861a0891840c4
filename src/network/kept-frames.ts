import { FrameRefusedError } from './errors.ts'

/** The protocol between nodes of this implementation: docs/protocol.md describes it to the byte. */
export const KEPT_PROTOCOL = '/nunet/dms/messages/1.0.0'

/** Bytes before the body of each frame: its type, and its length as 24 bits, big-endian. */
export const HEADER_LENGTH = 4

/** The longest body of a frame. */
export const MAX_BODY = 65_535

/** The longest body of an opening frame. */
const MAX_HELLO = 256

/** Types from here on may be invented later: who does not know one skips it. */
const FIRST_OPTIONAL_TYPE = 0x80

/** The types of frames. */
export const FRAME_TYPES = { hello: 0x00, message: 0x01, start: 0x02, part: 0x03, receipt: 0x04 } as const

/** What became of a message: handed to whoever listens on the inbox, nobody listens, or no room for it now. */
export type ReceiptStatus = 'delivered' | 'no-such-inbox' | 'busy'

/** The bytes of each {@link ReceiptStatus}. */
const STATUS_BYTES: readonly ReceiptStatus[] = ['delivered', 'no-such-inbox', 'busy']

/** The first frame in each direction. */
export interface HelloFrame {
  readonly type: 'hello'
  /** A bit per ability; there is none yet, and unknown ones are ignored. */
  readonly features: number
  /** How much its sender takes without a receipt, in messages and in bytes of their payloads. */
  readonly window: Window
}

/** How much may be on its way without a receipt. */
export interface Window {
  readonly messages: number
  readonly bytes: number
}

/** A whole message. */
export interface MessageFrame {
  readonly type: 'message'
  readonly id: number
  readonly inbox: string
  readonly payload: Uint8Array
}

/** The beginning of a message that comes in parts. */
export interface StartFrame {
  readonly type: 'start'
  readonly id: number
  readonly inbox: string
  /** Bytes of the whole payload. */
  readonly total: number
  readonly payload: Uint8Array
}

/** More of a message that comes in parts. */
export interface PartFrame {
  readonly type: 'part'
  readonly id: number
  readonly payload: Uint8Array
}

/** What became of messages `first` to `last`. */
export interface Receipt {
  readonly first: number
  readonly last: number
  readonly status: ReceiptStatus
}

/** Receipts, in the direction opposite to the messages. */
export interface ReceiptFrame {
  readonly type: 'receipt'
  readonly receipts: readonly Receipt[]
}

/** A frame of the kept stream. */
export type KeptFrame = HelloFrame | MessageFrame | StartFrame | PartFrame | ReceiptFrame

/** Version of the opening frame. */
const VERSION = 1

const HELLO_LENGTH = 13
const RECEIPT_LENGTH = 9

/** How many receipts fit into one frame. */
export const MAX_RECEIPTS = Math.floor(MAX_BODY / RECEIPT_LENGTH)

/** How many bytes {@link writeFrameTo} takes for a frame. */
export function sizeOfFrame(frame: KeptFrame): number {
  return HEADER_LENGTH + sizeOfBody(frame)
}

function sizeOfBody(frame: KeptFrame): number {
  switch (frame.type) {
    case 'hello':
      return HELLO_LENGTH
    case 'message':
      return 6 + frame.inbox.length + frame.payload.length
    case 'start':
      return 10 + frame.inbox.length + frame.payload.length
    case 'part':
      return 4 + frame.payload.length
    case 'receipt':
      return RECEIPT_LENGTH * frame.receipts.length
  }
}

/** Puts frames one after the other into one piece. */
export function encodeFrames(frames: readonly KeptFrame[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(frames.reduce((sum, frame) => sum + sizeOfFrame(frame), 0))
  let offset = 0
  for (const frame of frames) offset = writeFrameTo(bytes, offset, frame)
  return bytes
}

/** Writes one frame at `offset` and returns where it ends. Inbox names are ASCII (B §1.3). */
function writeFrameTo(bytes: Buffer, offset: number, frame: KeptFrame): number {
  let at = bytes.writeUInt8(FRAME_TYPES[frame.type], offset)
  at = bytes.writeUIntBE(sizeOfBody(frame), at, 3)
  switch (frame.type) {
    case 'hello':
      at = bytes.writeUInt8(VERSION, at)
      at = bytes.writeUInt32BE(frame.features, at)
      at = bytes.writeUInt32BE(frame.window.messages, at)
      return bytes.writeUInt32BE(frame.window.bytes, at)
    case 'message':
      at = writeInbox(bytes, bytes.writeUInt32BE(frame.id, at), frame.inbox)
      return writeBytes(bytes, at, frame.payload)
    case 'start':
      at = bytes.writeUInt32BE(frame.total, bytes.writeUInt32BE(frame.id, at))
      return writeBytes(bytes, writeInbox(bytes, at, frame.inbox), frame.payload)
    case 'part':
      return writeBytes(bytes, bytes.writeUInt32BE(frame.id, at), frame.payload)
    case 'receipt':
      for (const { first, last, status } of frame.receipts) {
        at = bytes.writeUInt32BE(last, bytes.writeUInt32BE(first, at))
        at = bytes.writeUInt8(STATUS_BYTES.indexOf(status), at)
      }
      return at
  }
}

function writeInbox(bytes: Buffer, offset: number, inbox: string): number {
  const at = bytes.writeUInt16BE(inbox.length, offset)
  return at + bytes.write(inbox, at, 'latin1')
}

function writeBytes(bytes: Buffer, offset: number, payload: Uint8Array): number {
  bytes.set(payload, offset)
  return offset + payload.length
}

/**
 * Reads the body of one frame; payloads are views into it. `undefined` for a type that may be skipped.
 *
 * @throws FrameRefusedError saying what is wrong.
 */
export function decodeFrame(type: number, bytes: Uint8Array): KeptFrame | undefined {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (type) {
    case FRAME_TYPES.hello:
      return readHello(body)
    case FRAME_TYPES.message: {
      requireLength('message', body, 6)
      const { inbox, end } = readInbox(body, 4)
      return { type: 'message', id: body.readUInt32BE(0), inbox, payload: body.subarray(end) }
    }
    case FRAME_TYPES.start: {
      requireLength('start', body, 10)
      const { inbox, end } = readInbox(body, 8)
      return { type: 'start', id: body.readUInt32BE(0), total: body.readUInt32BE(4), inbox, payload: body.subarray(end) }
    }
    case FRAME_TYPES.part:
      requireLength('part', body, 5)
      return { type: 'part', id: body.readUInt32BE(0), payload: body.subarray(4) }
    case FRAME_TYPES.receipt:
      return readReceipts(body)
    default:
      if (type >= FIRST_OPTIONAL_TYPE) return undefined
      throw new FrameRefusedError(`there is no frame of type ${type}`)
  }
}

function readHello(body: Buffer): HelloFrame {
  requireLength('opening', body, HELLO_LENGTH)
  if (body.length > MAX_HELLO) throw new FrameRefusedError(`the opening frame has ${body.length} bytes, at most ${MAX_HELLO}`)
  const version = body.readUInt8(0)
  if (version !== VERSION) throw new FrameRefusedError(`the opening frame has version ${version}, not ${VERSION}`)
  const window = { messages: body.readUInt32BE(5), bytes: body.readUInt32BE(9) }
  return { type: 'hello', features: body.readUInt32BE(1), window }
}

function readInbox(body: Buffer, offset: number): { readonly inbox: string; readonly end: number } {
  const start = offset + 2
  const end = start + body.readUInt16BE(offset)
  if (end > body.length) throw new FrameRefusedError('the name of the inbox is longer than its frame')
  return { inbox: body.toString('latin1', start, end), end }
}

function readReceipts(body: Buffer): ReceiptFrame {
  if (body.length === 0 || body.length % RECEIPT_LENGTH !== 0)
    throw new FrameRefusedError(`a frame of receipts has ${body.length} bytes`)
  const receipts: Receipt[] = []
  for (let at = 0; at < body.length; at += RECEIPT_LENGTH) {
    const [first, last] = [body.readUInt32BE(at), body.readUInt32BE(at + 4)]
    if (last < first) throw new FrameRefusedError(`a receipt is for the messages ${first} to ${last}`)
    receipts.push({ first, last, status: STATUS_BYTES[body.readUInt8(at + 8)] ?? 'busy' })
  }
  return { type: 'receipt', receipts }
}

function requireLength(what: string, body: Uint8Array, least: number): void {
  if (body.length < least) throw new FrameRefusedError(`the ${what} frame has ${body.length} bytes, at least ${least} are needed`)
}
