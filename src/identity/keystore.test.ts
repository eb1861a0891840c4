import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSecret } from '../base/index.ts'
import { jsonObject, jsonText } from './fixtures.ts'
import {
  BadKeyFileError,
  BadKeyNameError,
  createKeystore,
  EmptyPassphraseError,
  generateKeyPair,
  KeyChangedError,
  KeyExistsError,
  KeyNotFoundError,
  type Keystore,
  WrongPassphraseError
} from './index.ts'

const CHEAP = { n: 1024, r: 1, p: 1 }
const PASSPHRASE = createSecret('correct horse')
const KEY = generateKeyPair()

let root = ''
let directory = ''
let keystore: Keystore

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'identity-keystore-'))
  directory = join(root, 'user', 'key')
  keystore = createKeystore({ directory, kdf: CHEAP })
})
afterEach(() => rm(root, { recursive: true }))

type JsonObject = ReturnType<typeof jsonObject>

async function readFileOf(name: string): Promise<JsonObject> {
  return jsonObject(await readFile(join(directory, `${name}.json`), 'utf8'))
}

/** Saves the key as `user` and merges members into the `crypto` of its file. */
async function saveChanged(change: (crypto: JsonObject) => object): Promise<void> {
  await keystore.save('user', KEY, PASSPHRASE)
  const file = await readFileOf('user')
  const crypto = jsonObject(file['crypto'])
  await writeFile(join(directory, 'user.json'), JSON.stringify({ ...file, crypto: { ...crypto, ...change(crypto) } }))
}

function withOtherFirstDigit(text: string): string {
  return (text.startsWith('0') ? '1' : '0') + text.slice(1)
}

describe('the name of a key', () => {
  test.each(['', '.', '..', '../x', 'a/b', 'a\\b', '.hidden', '-x', 'a b', 'a\n', 'ä', 'x'.repeat(65), 'a\u0000'])(
    'is refused everywhere: %j',
    async (name) => {
      await expect(keystore.save(name, KEY, PASSPHRASE)).rejects.toThrow(BadKeyNameError)
      await expect(keystore.open(name, PASSPHRASE)).rejects.toThrow('beginning with a letter or digit')
      await expect(keystore.exists(name)).rejects.toThrow(BadKeyNameError)
      expect(await readdir(root)).toEqual([])
    }
  )

  test.each(['a', 'dms', '0', 'My_key-2.old', 'x'.repeat(64)])('is accepted: %j', async (name) => {
    await keystore.save(name, KEY, PASSPHRASE)
    expect((await keystore.open(name, PASSPHRASE)).did).toBe(KEY.did)
  })
})

describe('a key store', () => {
  test('has no keys before its directory exists', async () => {
    expect(await keystore.list()).toEqual([])
    expect(await keystore.exists('user')).toBe(false)
    await expect(keystore.open('user', PASSPHRASE)).rejects.toThrow(KeyNotFoundError)
    await expect(keystore.open('user', PASSPHRASE)).rejects.toThrow('key not found on this node: user')
  })

  test('neither stores nor opens a key with an empty passphrase', async () => {
    await expect(keystore.save('user', KEY, createSecret(''))).rejects.toThrow(EmptyPassphraseError)
    expect(await keystore.exists('user')).toBe(false)
    await keystore.save('user', KEY, PASSPHRASE)
    await expect(keystore.open('user', createSecret(''))).rejects.toThrow('passphrase is empty')
  })

  test('does not open a key with a wrong passphrase, and does not say which was tried', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    const refusal = keystore.open('user', createSecret('battery staple'))
    await expect(refusal).rejects.toThrow(WrongPassphraseError)
    await expect(refusal).rejects.toMatchObject({ code: 'IDENTITY_WRONG_PASSPHRASE', kind: 'unauthenticated' })
    await expect(refusal).rejects.toThrow(/^cannot open key user: mac mismatch: (?!.*battery)/)
  })

  test('does not replace a key unless told to', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    await expect(keystore.save('user', generateKeyPair(), PASSPHRASE)).rejects.toThrow(KeyExistsError)
    expect((await keystore.open('user', PASSPHRASE)).did).toBe(KEY.did)
  })

  test('keeps the old file when it replaces a key', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    const before = await readFile(join(directory, 'user.json'), 'utf8')
    const other = generateKeyPair()
    await keystore.save('user', other, PASSPHRASE, { overwrite: true })
    expect((await keystore.open('user', PASSPHRASE)).did).toBe(other.did)
    const files = await readdir(directory)
    const backup = files.find((name) => /^user\.json\.\d+$/.test(name))
    expect(await readFile(join(directory, backup ?? ''), 'utf8')).toBe(before)
    expect(await keystore.list()).toEqual(['user'])
  })

  test('saves with overwrite where there is nothing to replace', async () => {
    await keystore.save('user', KEY, PASSPHRASE, { overwrite: true })
    expect((await keystore.open('user', PASSPHRASE)).did).toBe(KEY.did)
  })

  test('lists its keys in order and nothing else', async () => {
    for (const name of ['user', 'dms']) await keystore.save(name, KEY, PASSPHRASE)
    await writeFile(join(directory, 'notes.txt'), '')
    await writeFile(join(directory, 'not a key.json'), '')
    await mkdir(join(directory, 'folder.json'))
    expect(await keystore.list()).toEqual(['dms', 'user'])
    expect(await keystore.exists('dms')).toBe(true)
    expect(await keystore.exists('notes')).toBe(false)
  })

  test('gives files and directory to the user alone', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    expect((await stat(directory)).mode & 0o777).toBe(0o700)
    expect((await stat(join(directory, 'user.json'))).mode & 0o777).toBe(0o600)
  })

  test('never writes two files alike for the same key', async () => {
    await keystore.save('a', KEY, PASSPHRASE)
    await keystore.save('b', KEY, PASSPHRASE)
    expect(jsonObject((await readFileOf('a'))['crypto'])['ciphertext']).not.toBe(
      jsonObject((await readFileOf('b'))['crypto'])['ciphertext']
    )
  })

  test('opens a file whose id is another name, as operators copy key files', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    await writeFile(join(directory, 'dms.json'), await readFile(join(directory, 'user.json')))
    expect((await keystore.open('dms', PASSPHRASE)).did).toBe(KEY.did)
  })

  test('does not take a directory for a key file', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    await rm(join(directory, 'user.json'))
    await mkdir(join(directory, 'user.json'))
    await expect(keystore.open('user', PASSPHRASE)).rejects.toThrow(BadKeyFileError)
  })
})

describe('a new passphrase', () => {
  const NEW = createSecret('battery staple')

  async function textOf(name: string): Promise<string> {
    return await readFile(join(directory, `${name}.json`), 'utf8')
  }

  test('is not asked for when the old one is wrong', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    const before = await textOf('user')
    const asked: string[] = []
    const change = keystore.changePassphrase(await keystore.read('user'), NEW, async () => {
      asked.push('new')
      return NEW
    })
    await expect(change).rejects.toThrow(WrongPassphraseError)
    expect(asked).toEqual([])
    expect(await textOf('user')).toBe(before)
  })

  test.each([
    ['is not given', () => Promise.reject(new Error('interrupted')), 'interrupted'],
    ['is empty', () => Promise.resolve(createSecret('')), 'passphrase is empty']
  ])('changes nothing when it %s', async (_what, askNew, message) => {
    await keystore.save('user', KEY, PASSPHRASE)
    const before = await textOf('user')
    await expect(keystore.changePassphrase(await keystore.read('user'), PASSPHRASE, askNew)).rejects.toThrow(message)
    expect(await textOf('user')).toBe(before)
    expect(await readdir(directory)).toEqual(['user.json'])
  })

  test('does not replace a file that another program wrote meanwhile', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    const stored = await keystore.read('user')
    const other = generateKeyPair()
    await keystore.save('user', other, PASSPHRASE, { overwrite: true })
    await expect(keystore.changePassphrase(stored, PASSPHRASE, async () => NEW)).rejects.toThrow(KeyChangedError)
    await expect(keystore.delete(stored, PASSPHRASE)).rejects.toThrow('nothing was done')
    expect((await keystore.open('user', PASSPHRASE)).did).toBe(other.did)
  })

  test('opens the same key, and the old one does not any more, nor does a copy remain', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    await keystore.changePassphrase(await keystore.read('user'), PASSPHRASE, async () => NEW)
    expect((await keystore.open('user', NEW)).did).toBe(KEY.did)
    await expect(keystore.open('user', PASSPHRASE)).rejects.toThrow(WrongPassphraseError)
    expect(await readdir(directory)).toEqual(['user.json'])
    expect((await stat(join(directory, 'user.json'))).mode & 0o777).toBe(0o600)
  })
})

describe('a key is removed', () => {
  test('by nobody who does not know its passphrase', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    await expect(keystore.delete(await keystore.read('user'), createSecret('wrong'))).rejects.toThrow(WrongPassphraseError)
    expect(await keystore.list()).toEqual(['user'])
  })

  test('without a trace', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    await keystore.delete(await keystore.read('user'), PASSPHRASE)
    expect(await readdir(directory)).toEqual([])
    await expect(keystore.read('user')).rejects.toThrow(KeyNotFoundError)
  })

  test('and leaves a copy when that is wanted', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    const { text } = await keystore.read('user')
    await keystore.delete(await keystore.read('user'), PASSPHRASE, { keepBackup: true })
    expect(await keystore.list()).toEqual([])
    const [copy = ''] = await keystore.backups('user')
    expect(await readFile(copy, 'utf8')).toBe(text)
  })
})

describe('a key file that was made elsewhere', () => {
  test('is not stored unless its passphrase opens it, nor over another key', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    const { text } = await keystore.read('user')
    await expect(keystore.saveFile('copy', text, createSecret('wrong'))).rejects.toThrow(WrongPassphraseError)
    await expect(keystore.saveFile('copy', '{}', PASSPHRASE)).rejects.toThrow(BadKeyFileError)
    await expect(keystore.saveFile('user', text, PASSPHRASE)).rejects.toThrow(KeyExistsError)
    expect(await readdir(directory)).toEqual(['user.json'])
  })

  test('is stored as it is', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    const text = `${(await keystore.read('user')).text}\n`
    expect((await keystore.saveFile('copy', text, PASSPHRASE)).did).toBe(KEY.did)
    expect(await readFile(join(directory, 'copy.json'), 'utf8')).toBe(text)
    expect((await stat(join(directory, 'copy.json'))).mode & 0o777).toBe(0o600)
  })
})

describe('looking at a key file without its passphrase', () => {
  const problemsOf = async (): Promise<string> => (await keystore.inspect('user')).problems.join('; ')

  test('finds nothing wrong with a file of this program', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    const path = join(directory, 'user.json')
    expect(await keystore.inspect('user')).toEqual({ name: 'user', path, mode: 0o600, problems: [] })
  })

  test('finds a missing file, and one that is no key', async () => {
    expect(await problemsOf()).toBe('is missing')
    await keystore.save('user', KEY, PASSPHRASE)
    await writeFile(join(directory, 'user.json'), '{"version":2}')
    expect(await problemsOf()).toContain('is no key file: version mismatch')
  })

  test('finds a file that others can read or change, and a link', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    await chmod(join(directory, 'user.json'), 0o646)
    expect(await problemsOf()).toBe('can be changed by others: chmod 600; can be read by others: chmod 600')
    await symlink('user.json', join(directory, 'link.json'))
    expect((await keystore.inspect('link')).problems).toContain('is a symbolic link')
  })
})

describe('a damaged key file', () => {
  test.each([
    ['is not JSON', '{', 'failed to decode key'],
    ['is empty', '', 'failed to decode key'],
    ['is a list', '[]', 'failed to decode key'],
    ['repeats a member', '{"version":3,"version":3}', 'failed to decode key'],
    ['has its version as text', '{"version":"3"}', 'version mismatch'],
    ['has another version', '{"version":4}', 'version mismatch'],
    ['has no object for its parts', '{"version":3,"crypto":[]}', 'failed to decode key']
  ])('is refused when it %s', async (_what, text, error) => {
    await keystore.save('user', KEY, PASSPHRASE)
    await writeFile(join(directory, 'user.json'), text)
    const refusal = keystore.open('user', PASSPHRASE)
    await expect(refusal).rejects.toThrow(BadKeyFileError)
    await expect(refusal).rejects.toThrow(`cannot open key user: ${error}`)
  })

  test('is refused when it is larger than any key file or not text', async () => {
    await keystore.save('user', KEY, PASSPHRASE)
    await writeFile(join(directory, 'user.json'), ' '.repeat(2 ** 20 + 1))
    await expect(keystore.open('user', PASSPHRASE)).rejects.toThrow(BadKeyFileError)
    await writeFile(join(directory, 'user.json'), Buffer.of(0xff))
    await expect(keystore.open('user', PASSPHRASE)).rejects.toThrow('failed to decode key')
  })

  test.each([
    ['another cipher', { cipher: 'aes-128-ctr' }, 'cipher mismatch'],
    ['a mac that is a number', { mac: 5 }, 'failed to decode key: mac'],
    ['a mac of two bytes', { mac: 'aabb' }, 'mac mismatch: the mac has 2 bytes'],
    ['an iv of 15 bytes', { cipherparams: { iv: '00'.repeat(15) } }, 'failed to process key: iv has 15 bytes'],
    ['an iv that is not hexadecimal', { cipherparams: { iv: 'zz' } }, 'failed to decode key: iv'],
    ['no iv', { cipherparams: {} }, 'failed to process key: iv'],
    ['another kdf', { kdf: 'pbkdf2' }, 'failed to process key: kdf']
  ])('is refused with %s', async (_what, change, error) => {
    await saveChanged(() => change)
    await expect(keystore.open('user', PASSPHRASE)).rejects.toThrow(error)
  })

  test.each([
    ['n = 2^21', { n: 2 ** 21 }],
    ['n that is no power of two', { n: 1000 }],
    ['n = 1', { n: 1 }],
    ['n that is a fraction', { n: 1024.5 }],
    ['n as text', { n: '1024' }],
    ['n beyond 2^53', { n: 2 ** 70 }],
    ['r = 0', { r: 0 }],
    ['r = 17', { r: 17 }],
    ['p = 9', { p: 9 }],
    ['p = -1', { p: -1 }],
    ['dklen = 63', { dklen: 63 }],
    ['dklen = 129', { dklen: 129 }],
    ['more than 1 GiB of memory', { n: 2 ** 20, r: 9 }],
    ['nothing set', { n: undefined }]
  ])('is refused before any work with %s', async (_what, parameters) => {
    await saveChanged(({ kdfparams }) => ({ kdfparams: { ...jsonObject(kdfparams), ...parameters } }))
    const refusal = keystore.open('user', PASSPHRASE)
    await expect(refusal).rejects.toThrow(BadKeyFileError)
    await expect(refusal).rejects.toThrow('failed to process key: ')
  })

  test('is refused with another cost than the one it was made with', async () => {
    await saveChanged(({ kdfparams }) => ({ kdfparams: { ...jsonObject(kdfparams), n: 2048 } }))
    await expect(keystore.open('user', PASSPHRASE)).rejects.toThrow('mac mismatch')
  })

  test.each(['ciphertext', 'mac'])('is refused when its %s was changed', async (member) => {
    await saveChanged((crypto) => ({ [member]: withOtherFirstDigit(jsonText(crypto[member])) }))
    const refusal = keystore.open('user', PASSPHRASE)
    await expect(refusal).rejects.toThrow(WrongPassphraseError)
  })

  test('is refused when its iv was changed, though the mac does not cover it', async () => {
    await saveChanged(() => ({ cipherparams: { iv: '00'.repeat(16) } }))
    await expect(keystore.open('user', PASSPHRASE)).rejects.toThrow('failed to decode key')
  })
})
