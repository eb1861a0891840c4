import { mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type AbortOptions,
  decodeHex,
  encodeHex,
  errorMessage,
  isJsonObject,
  type JsonValue,
  minutes,
  parseJson,
  randomHex,
  systemRandom,
  TimeoutError,
  withTimeout
} from '../base/index.ts'
import { FileRefusedError, readPrivateFile } from '../db/index.ts'
import { encodeEcdsaSignature, parsePublicKey } from '../identity/index.ts'
import { WalletProgramError, WalletTimeoutError } from './errors.ts'
import type { WalletHost } from './host.ts'

/** The program of NuNet's separate Ledger tool, looked for in `PATH`. */
export const LEDGER_PROGRAM = 'ledger-cli'

/** How long it may take: a person reads and confirms. */
const TIMEOUT = minutes(5)

/** An account of the device that `ledger-cli` speaks to (A §5.1). */
export interface LedgerProgram extends Pick<WalletHost, 'runTool' | 'show' | 'clock' | 'temporaryDirectory'> {
  readonly command: string
  readonly account: number
}

/**
 * Asks for the public key.
 *
 * @throws WalletProgramError in the reference's words: `error executing ledger cli`, `open ledger output`, `parse ledger output`,
 *   `decode ledger key`, `unmarshal ledger raw key`.
 */
export async function readProgramKey(program: LedgerProgram, options: AbortOptions = {}): Promise<Uint8Array> {
  const output = await runLedger(program, 'key', [], options)
  const raw = decodeHex(textIn(output, 'key'))
  if (!raw.ok) throw new WalletProgramError(`decode ledger key: ${raw.error}`)
  const key = parsePublicKey('eth', raw.value)
  if (!key.ok) throw new WalletProgramError(`unmarshal ledger raw key: ${key.error.message}`)
  return key.value.bytes
}

/**
 * Has a message signed.
 *
 * @returns DER, S in the low half. Not verified.
 * @throws WalletProgramError as {@link readProgramKey}; `error decoding signature r|s`, `signature r|s overflowed`.
 */
export async function signWithProgram(
  program: LedgerProgram,
  message: Uint8Array,
  options: AbortOptions = {}
): Promise<Uint8Array> {
  const output = await runLedger(program, 'sign', [encodeHex(message)], options)
  const ecdsa = output['ecdsa']
  if (!isJsonObject(ecdsa)) throw new WalletProgramError('parse ledger output: expected a member "ecdsa"')
  const signature = encodeEcdsaSignature(readNumber(ecdsa, 'r'), readNumber(ecdsa, 's'))
  if (!signature.ok) throw new WalletProgramError(`signature ${signature.error.path} overflowed: ${signature.error.message}`)
  return signature.value
}

type JsonObject = { readonly [name: string]: JsonValue }

/** The tool writes its result into a file that only we and it can reach, and prints for people; our stdout carries results only. */
async function runLedger(
  program: LedgerProgram,
  action: 'key' | 'sign',
  data: readonly string[],
  options: AbortOptions
): Promise<JsonObject> {
  const directory = await mkdtemp(join(program.temporaryDirectory, 'nunet-'))
  try {
    const file = join(directory, `ledger.out${randomHex(systemRandom, 8)}`)
    await (await open(file, 'wx', 0o600)).close()
    const args = [action, '-o', file, '-a', String(program.account), ...data]
    await execute(program, args, options)
    return await readOutput(file)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function execute(program: LedgerProgram, args: readonly string[], options: AbortOptions): Promise<void> {
  const { command, show, clock, runTool } = program
  const code = await withTimeout(
    clock,
    TIMEOUT,
    LEDGER_PROGRAM,
    async (signal) => {
      try {
        return await runTool({ command, args, onOutput: show, signal })
      } catch (error) {
        throw new WalletProgramError(`error executing ledger cli: ${errorMessage(error)}`, { cause: error })
      }
    },
    options
  ).catch(inOurWords)
  if (code !== 0) throw new WalletProgramError(`error executing ledger cli: ${command} ended with exit code ${code}`)
}

function inOurWords(error: unknown): never {
  if (!(error instanceof TimeoutError)) throw error
  throw new WalletTimeoutError(`${LEDGER_PROGRAM} did not end within ${TIMEOUT / 1000} seconds; nothing was signed`, {
    cause: error
  })
}

async function readOutput(file: string): Promise<JsonObject> {
  const text = await readPrivateFile(file).catch((error: unknown) => {
    const word = error instanceof FileRefusedError ? 'parse' : 'open'
    throw new WalletProgramError(`${word} ledger output: ${errorMessage(error)}`, { cause: error })
  })
  if (text === undefined) throw new WalletProgramError('open ledger output: the program removed its output file')
  const json = parseJson(text)
  if (!json.ok) throw new WalletProgramError(`parse ledger output: ${json.error.message}`)
  if (!isJsonObject(json.value)) throw new WalletProgramError('parse ledger output: expected an object')
  return json.value
}

function textIn(output: JsonObject, name: string): string {
  const value = output[name]
  if (typeof value !== 'string') throw new WalletProgramError(`parse ledger output: expected a text as "${name}"`)
  return value
}

/** A number whose leading zeros may be absent, even a single one, which the reference refuses (A §14, W18). */
function readNumber(ecdsa: JsonObject, name: 'r' | 's'): Uint8Array {
  const digits = textIn(ecdsa, name)
  const bytes = decodeHex(digits.length % 2 === 0 ? digits : `0${digits}`)
  if (!bytes.ok) throw new WalletProgramError(`error decoding signature ${name}: ${bytes.error}`)
  return bytes.value
}
