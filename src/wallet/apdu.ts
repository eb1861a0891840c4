import type { AbortOptions } from '../base/index.ts'
import {
  BadWalletAnswerError,
  WalletBusyError,
  WalletFailedError,
  WalletGoneError,
  WalletLockedError,
  WalletRefusedError,
  WrongAppError
} from './errors.ts'

/** A line to a device that answers one command (APDU, ISO 7816-4) at a time. */
export interface ApduTransport {
  /**
   * Sends one command and resolves with the whole answer, its two bytes of status included.
   *
   * @throws WalletGoneError, WalletBusyError, BadWalletAnswerError; CancelledError when the signal is aborted.
   */
  exchange(apdu: Uint8Array, options?: AbortOptions): Promise<Uint8Array>
  /** May be called twice. */
  close(): Promise<void>
}

/** One command: class, instruction, two parameters and at most 255 bytes of data. */
export interface Command {
  readonly instruction: number
  readonly first: number
  readonly second: number
  readonly data: Uint8Array
}

/** The class of all commands of Ledger's applications. */
const CLASS = 0xe0

/** Longest answer: data of a short APDU and the status. */
export const MAX_ANSWER = 256 + 2

const OK = 0x9000

/** The bytes of a command. */
export function encodeCommand({ instruction, first, second, data }: Command): Uint8Array {
  return Uint8Array.of(CLASS, instruction, first, second, data.length, ...data)
}

/**
 * The data of an answer whose status is "done".
 *
 * @throws the error that the status means; BadWalletAnswerError when there is no status.
 */
export function dataOf(answer: Uint8Array): Uint8Array {
  if (answer.length < 2 || answer.length > MAX_ANSWER) {
    throw new BadWalletAnswerError(`the Ledger answered with ${answer.length} bytes, expected 2 to ${MAX_ANSWER}`)
  }
  const end = answer.length - 2
  const status = Buffer.from(answer).readUInt16BE(end)
  if (status !== OK) throw statusError(status)
  return answer.subarray(0, end)
}

/** What the status words of the device's system and of its Ethereum app mean to its owner. */
function statusError(status: number): Error {
  const details = { details: { status: hexOf(status) } }
  switch (status) {
    case 0x5515:
    case 0x5303:
    case 0x6804:
    case 0x6982:
      return new WalletLockedError('the Ledger is locked: enter its PIN and try again', details)
    case 0x6511:
    case 0x6d00:
    case 0x6d02:
    case 0x6e00:
    case 0x6e01:
      return new WrongAppError('the Ethereum app is not open on the Ledger: open it there and try again', details)
    case 0x6985:
    case 0x5501:
      return new WalletRefusedError('the signature was refused on the Ledger', details)
    case 0xb007:
      return new WalletBusyError('the Ledger is busy with an earlier question: answer or reject it there and try again', details)
    case 0x6faa:
      return new WalletGoneError('the Ledger has halted: unplug it, plug it in and try again', details)
    case 0x6a80:
      return new WalletFailedError('the Ledger refused the data as invalid (0x6a80); update its Ethereum app', details)
    default:
      return new WalletFailedError(`the Ledger refused with status ${hexOf(status)}`, details)
  }
}

function hexOf(status: number): string {
  return `0x${status.toString(16).padStart(4, '0')}`
}
