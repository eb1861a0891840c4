import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSecret } from '../base/index.ts'
import { createKeystore, generateKeyPair } from '../identity/index.ts'
import { type CallOptions, call, type Outcome } from './fixtures.ts'

const KEY = generateKeyPair()
const HEX = Buffer.from(KEY.exportPrivate()).toString('hex')

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'cmd-keys-'))
})
afterEach(() => rmSync(home, { recursive: true }))

const nunet = (line: string, options?: CallOptions): Promise<Outcome> => call(home, line.split(' '), options)
const keyFile = (name: string): string => join(home, '.nunet', 'key', `${name}.json`)

/** Everything below the home directory. */
function snapshot(): Readonly<Record<string, string>> {
  const entries = readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [path, readFileSync(path, 'utf8')]
    })
  )
}

async function expectNothingChanged(line: string, options: CallOptions, code: number, says: string): Promise<void> {
  const before = snapshot()
  const outcome = await nunet(line, options)
  expect(outcome.stderr).toContain(says)
  expect(outcome).toMatchObject({ code, stdout: '' })
  expect(snapshot()).toEqual(before)
}

describe('key import', () => {
  test.each([
    ['a file that is not there', 'key import user nowhere', {}, 66, 'the file nowhere does not exist'],
    ['text that is no key', 'key import user -', { input: 'no key' }, 2, 'not a private key'],
    ['nothing', 'key import user -', { input: '' }, 2, 'not a private key'],
    ['a key file that is damaged', 'key import user -', { input: '{"version":3}' }, 2, 'cannot open key user'],
    ['nobody to ask', 'key import user', {}, 77, 'name the file to import, or - for stdin'],
    ['Ctrl-C at the question for the key', 'key import user', { answers: [] }, 130, 'not answered'],
    ['Ctrl-C at the passphrase', 'key import user', { answers: [HEX], passphrase: '' }, 130, 'not answered'],
    ['a bad name', 'key import ../user -', { input: HEX }, 2, 'invalid key name'],
    [
      'a new passphrase for a key that has none',
      'key import user - --new-passphrase',
      { input: HEX },
      2,
      'for encrypted key files'
    ],
    ['key and passphrase both on stdin', 'key import user - --passphrase-fd 0', { input: HEX }, 2, 'cannot both come from stdin']
  ])('refuses %s and writes nothing', async (_what, line, options, code, says) => {
    await expectNothingChanged(line, options, code, says)
  })

  test('does not repeat on the screen what may be a key', async () => {
    const almost = HEX.slice(2)
    const { code, stderr } = await nunet(`key import user ${almost}`)
    expect(code).toBe(2)
    expect(stderr).toContain('neither a file nor a private key')
    expect(stderr).not.toContain(almost.slice(0, 16))
  })

  test('does not replace a key unless told to, and keeps the old one then', async () => {
    const { stdout } = await nunet('key new user')
    await expectNothingChanged('key import user -', { input: HEX }, 65, 'already exists; use --force to replace it')
    await expectNothingChanged('key import user -', { input: HEX, answers: ['n'] }, 65, 'overwrite it? (y/N): ')
    expect((await nunet('key import user - --force', { input: HEX })).stdout).toBe(`${KEY.did}\n`)
    const copy = readdirSync(join(home, '.nunet', 'key')).find((name) => /^user\.json\.\d+$/.test(name)) ?? ''
    await nunet('key import old -', { input: readFileSync(join(home, '.nunet', 'key', copy), 'utf8') })
    expect((await nunet('key did old')).stdout).toBe(stdout)
  })

  test.each([
    ['stdin', 'key import user -', { input: `${HEX}\n` }],
    ['a hidden question', 'key import user', { answers: [HEX] }],
    ['the line', `key import user ${HEX}`, {}]
  ])('takes a private key from %s', async (_what, line, options) => {
    expect(await nunet(line, options)).toMatchObject({ code: 0, stdout: `${KEY.did}\n` })
    expect((await nunet('key did user')).stdout).toBe(`${KEY.did}\n`)
    expect(statSync(keyFile('user')).mode & 0o777).toBe(0o600)
  })

  test('warns of a key on the line, where the history of the shell keeps it', async () => {
    expect((await nunet(`key import user ${HEX}`)).stderr).toContain('in the history of your shell')
  })

  test('takes a file whose name looks like a key for a file', async () => {
    writeFileSync(join(home, HEX), Buffer.from(generateKeyPair().exportPrivate()).toString('hex'), { mode: 0o600 })
    const { stdout, stderr } = await nunet(`key import user ${HEX}`)
    expect(stdout).not.toBe(`${KEY.did}\n`)
    expect(stderr).toBe('')
  })

  test('warns of a private key in a file that others can read', async () => {
    writeFileSync(join(home, 'plain'), HEX)
    chmodSync(join(home, 'plain'), 0o644)
    expect((await nunet('key import user plain')).stderr).toContain('plain is open to other users (mode 0644)')
  })

  describe('of an encrypted key file', () => {
    let text = ''
    beforeEach(async () => {
      const keystore = createKeystore({ directory: join(home, 'elsewhere'), kdf: { n: 2, r: 1, p: 1 } })
      await keystore.save('user', KEY, createSecret('theirs'))
      text = readFileSync(join(home, 'elsewhere', 'user.json'), 'utf8')
    })

    test('refuses a wrong passphrase and writes nothing', async () => {
      await expectNothingChanged('key import user elsewhere/user.json', {}, 77, 'mac mismatch')
    })

    test('stores it as it is', async () => {
      const outcome = await nunet('key import user elsewhere/user.json', { passphrase: 'theirs' })
      expect(outcome).toEqual({ code: 0, stdout: `${KEY.did}\n`, stderr: '' })
      expect(readFileSync(keyFile('user'), 'utf8')).toBe(text)
    })

    test('encrypts it anew when a new passphrase is given, and not without one', async () => {
      const line = 'key import user elsewhere/user.json --new-passphrase'
      await expectNothingChanged(line, { passphrase: 'theirs' }, 77, 'there is no new passphrase and no terminal to ask on')
      expect((await nunet(line, { passphrase: 'theirs', newPassphrase: 'ours' })).stdout).toBe(`${KEY.did}\n`)
      expect((await nunet('key did user', { passphrase: 'ours' })).stdout).toBe(`${KEY.did}\n`)
    })
  })
})

describe('key export', () => {
  beforeEach(async () => {
    await nunet('key import user -', { input: HEX })
  })

  test.each([
    ['of a key that is not there', 'key export nobody', {}, 66, 'there is no key with name nobody'],
    ['in plain text without a terminal', 'key export user --plain', {}, 65, 'use --yes to do it without being asked'],
    ['in plain text when the name is mistyped', 'key export user --plain', { answers: ['usr'] }, 65, 'nothing was done'],
    ['in plain text at Ctrl-C', 'key export user --plain', { answers: [] }, 130, 'not answered'],
    ['in plain text with a wrong passphrase', 'key export user --plain --yes', { passphrase: 'wrong' }, 77, 'mac mismatch'],
    ['over a file', 'key export user --output taken', {}, 65, 'exists already and is not replaced'],
    ['into a directory that is not there', 'key export user --output no/where', {}, 66, 'does not exist']
  ])('%s is refused and gives nothing away', async (_what, line, options, code, says) => {
    writeFileSync(join(home, 'taken'), 'something else')
    await expectNothingChanged(line, options, code, says)
  })

  test('prints the encrypted file, without its passphrase', async () => {
    const outcome = await nunet('key export user', { passphrase: '' })
    expect(outcome).toEqual({ code: 0, stdout: `${readFileSync(keyFile('user'), 'utf8')}\n`, stderr: '' })
    expect((await nunet('key import copy -', { input: outcome.stdout })).stdout).toBe(`${KEY.did}\n`)
  })

  test('writes a new file that only its owner can read', async () => {
    await nunet('key export user --output backup.json')
    expect(readFileSync(join(home, 'backup.json'), 'utf8')).toBe(readFileSync(keyFile('user'), 'utf8'))
    expect(statSync(join(home, 'backup.json')).mode & 0o777).toBe(0o600)
  })

  test.each([
    ['--yes', 'key export user --plain --yes', {}],
    ['its name is typed', 'key export user --plain', { answers: ['user'] }]
  ])('prints the private key when %s', async (_what, line, options) => {
    expect((await nunet(line, options)).stdout).toBe(`${HEX}\n`)
  })
})

describe('key passphrase', () => {
  beforeEach(async () => {
    await nunet('key import user -', { input: HEX })
  })

  test.each([
    ['a wrong old one', { passphrase: 'wrong', newPassphrase: 'new' }, 77, 'mac mismatch'],
    ['no new one', {}, 77, 'there is no new passphrase and no terminal'],
    ['Ctrl-C at the old one', { passphrase: '', answers: [] }, 130, 'not answered'],
    ['Ctrl-C at the new one', { answers: [] }, 130, 'not answered'],
    ['Ctrl-C at the second question', { answers: ['new'] }, 130, 'not answered'],
    ['an empty new one', { answers: [''] }, 77, 'must not be empty'],
    ['two that differ, three times', { answers: ['a', 'b', 'a', 'b', 'a', 'b'] }, 77, 'user failed to input passphrase']
  ])('changes nothing with %s', async (_what, options, code, says) => {
    await expectNothingChanged('key passphrase user', options, code, says)
  })

  test('asks for the new one twice on a terminal', async () => {
    const { code, stderr } = await nunet('key passphrase user', { passphrase: '', answers: ['secret', 'new', 'new'] })
    expect(code).toBe(0)
    expect(stderr).toBe('Passphrase: New passphrase: Please confirm your passphrase: the key user has its new passphrase\n')
    expect((await nunet('key did user', { passphrase: 'new' })).stdout).toBe(`${KEY.did}\n`)
    expect((await nunet('key did user')).code).toBe(77)
  })

  test('takes the new one from a file, and names older copies, which still open with theirs', async () => {
    await nunet('key import user - --force', { input: HEX })
    writeFileSync(join(home, 'new'), 'new\n', { mode: 0o600 })
    const { stderr } = await nunet('key passphrase user --new-passphrase-file new')
    expect(stderr).toMatch(/Note: \S+user\.json\.\d+ is an older copy, with the passphrase of its time/)
    expect((await nunet('key did user', { passphrase: 'new' })).stdout).toBe(`${KEY.did}\n`)
  })
})

describe('key delete', () => {
  beforeEach(async () => {
    await nunet('key import user -', { input: HEX })
  })

  test.each([
    ['a key that is not there', 'key delete nobody', {}, 66, 'there is no key with name nobody'],
    ['without a terminal to confirm on', 'key delete user', {}, 65, 'use --yes to do it without being asked'],
    ['when the name is mistyped', 'key delete user', { answers: ['yes'] }, 65, 'nothing was done'],
    ['at Ctrl-C', 'key delete user', { answers: [] }, 130, 'not answered'],
    ['at Ctrl-C at the passphrase', 'key delete user', { answers: ['user'], passphrase: '' }, 130, 'not answered'],
    ['with a wrong passphrase', 'key delete user --yes', { passphrase: 'wrong' }, 77, 'mac mismatch']
  ])('removes nothing %s', async (_what, line, options, code, says) => {
    await expectNothingChanged(line, options, code, says)
  })

  test('removes the key once its name is typed', async () => {
    const { code, stderr } = await nunet('key delete user', { answers: ['user'] })
    expect(code).toBe(0)
    expect(stderr).toContain('nobody can ever act as this key again')
    expect(existsSync(keyFile('user'))).toBe(false)
    expect((await nunet('key list')).stdout).toBe('')
  })

  test('tells that the context of that name loses its key', async () => {
    await nunet('cap new user')
    expect((await nunet('key delete user --yes')).stderr).toContain('the capability context user is of no use without this key')
  })

  test('leaves a copy beside it when that is wanted, and says where', async () => {
    const { stderr } = await nunet('key delete user --yes --keep-backup')
    const [, copy = ''] = /Note: (\S+) is a copy/.exec(stderr) ?? []
    expect((await nunet(`key import user ${copy}`)).stdout).toBe(`${KEY.did}\n`)
  })
})

describe('key list', () => {
  test('as JSON has every file with what is wrong with it, and needs no passphrase', async () => {
    await nunet('key import user -', { input: HEX })
    writeFileSync(keyFile('broken'), '{}')
    chmodSync(keyFile('broken'), 0o644)
    const { stdout } = await nunet('key list --json', { passphrase: '' })
    expect(JSON.parse(stdout)).toEqual([
      {
        name: 'broken',
        path: keyFile('broken'),
        mode: '0644',
        problems: ['can be read by others: chmod 600', expect.stringContaining('is no key file: version mismatch') as string]
      },
      { name: 'user', path: keyFile('user'), mode: '0600', problems: [] }
    ])
    expect(await nunet('key list --long', { passphrase: '' })).toMatchObject({
      stdout: 'broken  0644  locked\nuser    0600  locked\n',
      stderr: expect.stringContaining('broken.json can be read by others') as string
    })
    const screen = { columns: 80, hasColors: false, canRedraw: true }
    expect((await nunet('key list --long', { passphrase: '', screen })).stdout).toBe(
      'NAME    MODE  DID\nbroken  0644  locked\nuser    0600  locked\n'
    )
  })
})
