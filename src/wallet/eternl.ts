import { bytesEqual, decodeHex, encodeHex, errorMessage, minutes, TimeoutError, utf8, withTimeout } from '../base/index.ts'
import { isHashedCose, parsePublicKey, verifyWithKey } from '../identity/index.ts'
import {
  BadWalletAnswerError,
  HashedSignatureError,
  WalletNotFoundError,
  WalletProgramError,
  WalletTimeoutError
} from './errors.ts'
import type { SignOptions, Wallet, WalletHost } from './host.ts'
import { findProgram } from './program.ts'
import { wrongWallet } from './wrong-wallet.ts'

/** The program that speaks to the Eternl wallet, looked for in `PATH` (A §5.2). */
export const ETERNL_PROGRAM = 'eternl-cli'

/** What is signed to learn the key, and how the reference writes it. */
const KEY_REQUEST = 'get_pubkey'
const KEY_REQUEST_HEX = '6765745F7075626B6579'

/** How long it may take: a person confirms in a browser. */
const TIMEOUT = minutes(5)

/** Most that the program may print, in characters: a signature embeds one token list, in hexadecimal. */
const MAX_OUTPUT = 262_144

/**
 * The Eternl wallet of a user.
 *
 * @throws WalletNotFoundError when `eternl-cli` is not in `PATH`; WalletProgramError with `pub value not found in output` or
 *   `sig value not found in output`; HashedSignatureError; WrongWalletError.
 */
export function createEternlWallet(host: WalletHost): Wallet {
  return {
    title: 'the Eternl wallet',
    async publicKey(options = {}) {
      const output = await runEternl(host, KEY_REQUEST_HEX, options)
      const key = readKey(output)
      if (key === undefined) throw new WalletProgramError('pub value not found in output of eternl-cli')
      const signature = readValue(output, 'Signature')
      if (signature !== undefined && !verifyWithKey({ type: 'cardano', bytes: key }, utf8(KEY_REQUEST), signature)) {
        throw new BadWalletAnswerError('the key and the signature that eternl-cli printed do not belong together')
      }
      return key
    },
    async sign(message, expected, options = {}) {
      const output = await runEternl(host, encodeHex(message), options)
      const found = readKey(output)
      if (found !== undefined && !bytesEqual(found, expected)) throw wrongWallet({ type: 'cardano', found, expected })
      const signature = readValue(output, 'Signature')
      if (signature === undefined) throw new WalletProgramError('sig value not found in output of eternl-cli')
      if (isHashedCose(signature)) {
        throw new HashedSignatureError(
          'the wallet signed a hash of the token (hashed: true), which no other node accepts; sign with a key that the wallet itself keeps, not with a hardware key behind it'
        )
      }
      return signature
    }
  }
}

async function runEternl(host: WalletHost, hex: string, options: SignOptions): Promise<string> {
  const command = await findProgram(ETERNL_PROGRAM, host)
  if (command === undefined)
    throw new WalletNotFoundError(`can't find ${ETERNL_PROGRAM} in PATH: install it to use an Eternl wallet`)
  await options.onAsk?.()
  let output = ''
  const onOutput = (text: string): void => {
    output += text
    if (output.length > MAX_OUTPUT) throw new BadWalletAnswerError(`${ETERNL_PROGRAM} printed over ${MAX_OUTPUT} characters`)
  }
  const work = (signal: AbortSignal): Promise<number> => host.runTool({ command, args: [hex], onOutput, signal })
  const code = await withTimeout(host.clock, TIMEOUT, ETERNL_PROGRAM, work, options).catch(inOurWords)
  if (code !== 0) throw new WalletProgramError(`${command} ended with exit code ${code}: ${lastLine(output)}`)
  return output
}

function inOurWords(error: unknown): never {
  if (error instanceof TimeoutError) {
    throw new WalletTimeoutError(`${ETERNL_PROGRAM} did not end within ${TIMEOUT / 1000} seconds; nothing was signed`, {
      cause: error
    })
  }
  if (error instanceof Error && 'syscall' in error) {
    throw new WalletProgramError(`cannot run ${ETERNL_PROGRAM}: ${errorMessage(error)}`, { cause: error })
  }
  throw error
}

function lastLine(output: string): string {
  return (output.trim().split('\n').at(-1) ?? '').slice(0, 200)
}

/** Raw or as a COSE_Key. */
function readKey(output: string): Uint8Array | undefined {
  const raw = readValue(output, 'PubKeyRaw')
  if (raw === undefined) return undefined
  const key = parsePublicKey('cardano', raw)
  if (!key.ok) throw new BadWalletAnswerError(`${ETERNL_PROGRAM} printed a bad public key: ${key.error.message}`)
  return key.value.bytes
}

/** The bytes of `<name>:[<hex>]`; several that differ are refused, for nobody could tell which is meant (A §14, W19). */
function readValue(output: string, name: 'PubKeyRaw' | 'Signature'): Uint8Array | undefined {
  const found = new Set(
    [...output.matchAll(new RegExp(`\\b${name}:\\[([0-9a-fA-F]+)\\]`, 'g'))].map(([, hex = '']) => hex.toLowerCase())
  )
  const [only] = found
  if (found.size > 1) throw new BadWalletAnswerError(`${ETERNL_PROGRAM} printed ${found.size} different values of ${name}`)
  if (only === undefined) return undefined
  const bytes = decodeHex(only)
  if (!bytes.ok) throw new BadWalletAnswerError(`${ETERNL_PROGRAM} printed a ${name} with an odd number of digits`)
  return bytes.value
}
