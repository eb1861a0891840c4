import { type AbortOptions, type Clock, minutes, seconds, TimeoutError, withTimeout } from '../base/index.ts'
import { encodeEcdsaSignature, type PublicKey, parsePublicKey } from '../identity/index.ts'
import { type ApduTransport, dataOf, encodeCommand } from './apdu.ts'
import { BadWalletAnswerError, MessageTooLongError, WalletTimeoutError } from './errors.ts'

/** Instructions of the Ethereum app. */
const GET_PUBLIC_KEY = 0x02
const SIGN_PERSONAL_MESSAGE = 0x08

/** First parameter: first and following pieces of a message; and no question on the screen. */
const FIRST_PIECE = 0x00
const NEXT_PIECE = 0x80
const NO_DISPLAY = 0x00

/** Data bytes of one command, the path and length of a first one included: what Ledger's own library sends. */
const PIECE_LENGTH = 150

/** Longest message, in bytes: over three times the longest token list. */
export const MAX_MESSAGE = 65_536

const HARDENED = 0x8000_0000

/** An uncompressed point and the 40 hexadecimal digits of an address. */
const POINT_LENGTH = 65
const ADDRESS_LENGTH = 40

/** v, r and s. */
const SIGNATURE_LENGTH = 65

/** How long a person may take to read and confirm. */
const SIGN_TIMEOUT = minutes(5)

/** For what the device answers by itself. */
const ANSWER_TIMEOUT = seconds(15)

/** The device, and whose time it is given. */
export interface EthereumApp {
  readonly transport: ApduTransport
  readonly clock: Clock
}

/**
 * The derivation path of an account index, BIP 44: `44'/60'/0'/0/<index>`.
 *
 * The index is the last number, as in most Ethereum wallets; Ledger's desktop program counts accounts in the third instead
 * (`44'/60'/<index>'/0/0`). Both mean the same key for account 0.
 */
export function pathText(account: number): string {
  return `44'/60'/0'/0/${account}`
}

/**
 * The public key of an account; the device asks nothing.
 *
 * @throws what the status means; BadWalletAnswerError when the answer is not a point and an address.
 */
export async function readPublicKey(app: EthereumApp, account: number, options: AbortOptions = {}): Promise<PublicKey> {
  const command = encodeCommand({ instruction: GET_PUBLIC_KEY, first: NO_DISPLAY, second: 0, data: encodePath(account) })
  const answer = await limited(app, ANSWER_TIMEOUT, options, (signal) => app.transport.exchange(command, { signal }))
  return parsePublicKeyAnswer(dataOf(answer))
}

/**
 * Has the owner read and sign an Ethereum personal message.
 *
 * @returns The signature as tokens carry it: DER, S in the low half. Not verified.
 * @throws MessageTooLongError; what the status means; WalletTimeoutError after five minutes.
 */
export async function signPersonalMessage(
  app: EthereumApp,
  account: number,
  message: Uint8Array,
  options: AbortOptions = {}
): Promise<Uint8Array> {
  const commands = encodeMessage(account, message)
  return await limited(app, SIGN_TIMEOUT, options, async (signal) => {
    for (const command of commands.slice(0, -1)) {
      const data = dataOf(await app.transport.exchange(command, { signal }))
      if (data.length > 0) throw new BadWalletAnswerError('the Ledger answered before it had the whole message')
    }
    const last = commands.at(-1) ?? new Uint8Array()
    return parseSignatureAnswer(dataOf(await app.transport.exchange(last, { signal })))
  })
}

function encodeMessage(account: number, message: Uint8Array): readonly Uint8Array[] {
  if (message.length === 0) throw new MessageTooLongError('an empty message cannot be signed by a Ledger')
  if (message.length > MAX_MESSAGE) {
    throw new MessageTooLongError(
      `a message of ${message.length} bytes is too long for a Ledger, at most ${MAX_MESSAGE} are sent`
    )
  }
  const length = Buffer.alloc(4)
  length.writeUInt32BE(message.length)
  const header = Buffer.concat([encodePath(account), length])
  const whole = Buffer.concat([header, message])
  const commands: Uint8Array[] = []
  for (let start = 0; start < whole.length; start += PIECE_LENGTH) {
    const data = whole.subarray(start, start + PIECE_LENGTH)
    const first = start === 0 ? FIRST_PIECE : NEXT_PIECE
    commands.push(encodeCommand({ instruction: SIGN_PERSONAL_MESSAGE, first, second: 0, data }))
  }
  return commands
}

/** The number of steps, then each as 32 bits, big-endian. */
function encodePath(account: number): Uint8Array {
  const steps = [44 + HARDENED, 60 + HARDENED, HARDENED, 0, account]
  const data = Buffer.alloc(1 + 4 * steps.length)
  data.writeUInt8(steps.length)
  for (const [index, step] of steps.entries()) data.writeUInt32BE(step, 1 + 4 * index)
  return data
}

function parsePublicKeyAnswer(data: Uint8Array): PublicKey {
  const address = data.subarray(1 + POINT_LENGTH)
  const isWhole = data[0] === POINT_LENGTH && address[0] === ADDRESS_LENGTH && address.length === 1 + ADDRESS_LENGTH
  const key = isWhole ? parsePublicKey('eth', data.subarray(1, 1 + POINT_LENGTH)) : undefined
  if (key === undefined) throw new BadWalletAnswerError(`the Ledger answered with ${data.length} bytes that are no public key`)
  if (!key.ok) throw new BadWalletAnswerError(`the Ledger answered with a bad public key: ${key.error.message}`)
  return key.value
}

function parseSignatureAnswer(data: Uint8Array): Uint8Array {
  if (data.length !== SIGNATURE_LENGTH) {
    throw new BadWalletAnswerError(`the Ledger answered with ${data.length} bytes instead of a signature of ${SIGNATURE_LENGTH}`)
  }
  const signature = encodeEcdsaSignature(data.subarray(1, 33), data.subarray(33))
  if (!signature.ok) throw new BadWalletAnswerError(`the Ledger answered with a bad signature: ${signature.error.message}`)
  return signature.value
}

async function limited<T>(
  { clock }: EthereumApp,
  limit: ReturnType<typeof minutes>,
  options: AbortOptions,
  work: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  try {
    return await withTimeout(clock, limit, 'the question to the Ledger', work, options)
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error
    throw new WalletTimeoutError(`the Ledger did not answer within ${limit / 1000} seconds; nothing was signed`, { cause: error })
  }
}
