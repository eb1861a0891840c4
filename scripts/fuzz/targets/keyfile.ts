import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  bytesEqual,
  createSecret,
  DmsError,
  encodeHex,
  isJsonObject,
  type JsonValue,
  parseJson
} from '../../../src/base/index.ts'
import {
  BadKeyFileError,
  createKeystore,
  EmptyPassphraseError,
  importKeyPair,
  type KeyPair,
  type Keystore,
  keyPairFromSeed,
  WrongPassphraseError
} from '../../../src/identity/index.ts'
import { encryptKeyFile } from '../../../src/identity/key-file.ts'
import vectors from '../../../test/vectors/identity.json' with { type: 'json' }
import type { Chance } from '../chance.ts'
import { mutateJson } from '../mutate-json.ts'
import { mutateText } from '../mutate-text.ts'
import { ACCEPTED, type FuzzTarget, must, type Outcome, rejected } from '../target.ts'

/** What is fuzzed: opens the key of a store; a test puts a broken one in its place. */
export interface KeyFileSubject {
  readonly createKeystore: typeof createKeystore
}

/** Bounds of the parameters of scrypt (A, W16), said once more. */
const BOUNDS = { n: 2 ** 20, r: 16, p: 8, memory: 2 ** 30 }

/** Parameters within the bounds that need more memory than this are not tried: they are allowed to be slow. */
const CHEAP_MEMORY = 2 ** 21

/**
 * Key files: a changed file or passphrase opens with an error of identity or as the very key that was stored, never as another one;
 * no message holds a part of the key; parameters over the bounds are refused and cost nothing.
 *
 * An input is the passphrase as JSON, a line feed and the file.
 */
export function createKeyFileTarget(subject: KeyFileSubject = { createKeystore }): FuzzTarget {
  return {
    name: 'keyfile',
    about: 'key files: opened as the stored key or refused, never as another key, never at a price',
    async open(chance) {
      const directory = await mkdtemp(join(tmpdir(), 'fuzz-keyfile-'))
      const keystore = subject.createKeystore({ directory })
      const stored = await prepareKeys(chance)
      return {
        make: (choice) => makeInput(choice, stored),
        check: (input) => checkInput(input, { directory, keystore, stored }),
        dispose: () => rm(directory, { recursive: true })
      }
    }
  }
}

/** HMAC fills short keys up with zeros (RFC 2104 §2), so scrypt, and every program that reads these files, cannot see them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the character that HMAC adds
const TRAILING_ZEROS = /\u0000+$/

interface StoredKey {
  readonly key: KeyPair
  readonly passphrase: string
  readonly text: string
}

async function prepareKeys(chance: Chance): Promise<readonly StoredKey[]> {
  const secp256k1 = importKeyPair(Uint8Array.from([0x08, 0x02, 0x12, 0x20, ...chance.bytes(32)]))
  if (!secp256k1.ok) throw new Error(`the corpus has a bad key: ${secp256k1.error.message}`)
  const keys = [keyPairFromSeed(chance.bytes(32)), keyPairFromSeed(chance.bytes(32)), secp256k1.value]
  const costs = [
    { n: 2, r: 1, p: 1 },
    { n: 16, r: 8, p: 1 },
    { n: 4, r: 2, p: 2 }
  ]
  const passphrases = ['correct horse battery staple', 'pässwörd 😀', 'x']
  return Promise.all(
    keys.map(async (key, index) => {
      const [cost, passphrase] = [costs[index] ?? { n: 2, r: 1, p: 1 }, passphrases[index] ?? 'x']
      const content = { id: `key${index}`, privateKey: key.exportPrivate() }
      return { key, passphrase, text: await encryptKeyFile(content, createSecret(passphrase), { cost, random: chance }) }
    })
  )
}

function makeInput(chance: Chance, stored: readonly StoredKey[]): string {
  const { passphrase, text } = chance.pick(stored)
  const texts = [...stored.map((key) => key.text), ...vectors.keystore.rejects.cases.map(({ file }) => file)]
  const choice = chance.int(16)
  const secret = choice === 0 ? mutateText(passphrase, chance, ['', '\0', 'X']) : passphrase
  const file = choice < 2 ? text : choice < 7 ? mutateText(text, chance, texts) : mutateJson(text, chance, texts)
  return `${JSON.stringify(secret)}\n${file}`
}

interface Room {
  readonly directory: string
  readonly keystore: Keystore
  readonly stored: readonly StoredKey[]
}

async function checkInput(input: string, { directory, keystore, stored }: Room): Promise<Outcome> {
  const { passphrase, text } = split(input)
  const cost = costOf(text)
  if (cost === 'allowed') return rejected('not tried: a costly file within the bounds')
  await writeFile(join(directory, 'user.json'), text, { mode: 0o600 })
  const opened = await open(keystore, passphrase)
  if (opened instanceof Error) return checkRefusal(opened, stored, passphrase)
  must(cost !== 'excessive', 'no parameters over the bounds are used')
  const original = stored.find(({ key }) => bytesEqual(key.exportPrivate(), opened.exportPrivate()))
  must(original !== undefined, 'a changed key file never opens as another key')
  must(original.passphrase === passphrase.replace(TRAILING_ZEROS, ''), 'a wrong passphrase never opens a key')
  return ACCEPTED
}

function split(input: string): { readonly passphrase: string; readonly text: string } {
  const end = input.indexOf('\n')
  const passphrase = parseJson(input.slice(0, Math.max(0, end)))
  return { passphrase: passphrase.ok && typeof passphrase.value === 'string' ? passphrase.value : '', text: input.slice(end + 1) }
}

async function open(keystore: Keystore, passphrase: string): Promise<KeyPair | Error> {
  try {
    return await keystore.open('user', createSecret(passphrase))
  } catch (error) {
    if (error instanceof DmsError) return error
    throw error
  }
}

function checkRefusal(error: Error, stored: readonly StoredKey[], passphrase: string): Outcome {
  const isKnown =
    error instanceof BadKeyFileError || error instanceof WrongPassphraseError || error instanceof EmptyPassphraseError
  must(isKnown, `a key file is refused with an error about key files, not ${error.name}: ${error.message}`)
  const told = `${error.message} ${JSON.stringify(error.details)}`
  must(told.length < 4096, 'a message about a key file is short')
  for (const { key } of stored) {
    const hex = encodeHex(key.exportPrivate()).slice(8)
    must(!told.includes(hex.slice(0, 16)) && !told.includes(hex.slice(16, 32)), 'no message holds a part of a private key')
  }
  must(passphrase.length < 8 || !told.includes(passphrase), 'no message holds the passphrase')
  return rejected(error.message)
}

/** What the parameters of a file would cost, when it has some that scrypt could be called with. */
function costOf(text: string): 'cheap' | 'allowed' | 'excessive' | 'none' {
  const file = parseJson(text)
  const crypto = file.ok ? memberOf(file.value, 'crypto') : undefined
  const parameters = memberOf(crypto, 'kdfparams')
  const [n, r, p] = ['n', 'r', 'p'].map((name) => memberOf(parameters, name))
  if (typeof n !== 'number' || typeof r !== 'number' || typeof p !== 'number') return 'none'
  const memory = 128 * r * (n + p)
  if (n > BOUNDS.n || r > BOUNDS.r || p > BOUNDS.p || memory > BOUNDS.memory) return 'excessive'
  return memory <= CHEAP_MEMORY ? 'cheap' : 'allowed'
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isJsonObject(value) ? value[name] : undefined
}
