import { chmodSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CallOptions, call, type Outcome } from './fixtures.ts'

let home = ''
let did = ''
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'cmd-pass-'))
  did = (await call(home, ['key', 'new', 'user'])).stdout
})
afterEach(() => rmSync(home, { recursive: true }))

const nunet = (line: string, options?: CallOptions): Promise<Outcome> =>
  call(home, line.split(' '), { passphrase: '', ...options })

/** The right passphrase is `secret`. */
function write(name: string, text: string, mode = 0o600): string {
  const path = join(home, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

const descriptorOf = (text: string): number => openSync(write('descriptor', text), 'r')

function credentials(files: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  mkdirSync(join(home, 'credentials'))
  for (const [name, text] of Object.entries(files)) write(join('credentials', name), text, 0o400)
  return { CREDENTIALS_DIRECTORY: join(home, 'credentials') }
}

async function expectRefused(line: string, environment: Record<string, string>, code: number, says: string): Promise<void> {
  // right answers of all later sources: none of them may be taken instead
  const outcome = await nunet(line, { environment, answers: ['secret'], passphrase: '' })
  expect(outcome.stderr).toContain(says)
  expect(outcome).toMatchObject({ code, stdout: '' })
}

describe('a source that is named but cannot be used is an error, not a reason to look further:', () => {
  test('a file that is missing, empty or a directory', async () => {
    write('empty', '\n')
    const later = { DMS_PASSPHRASE_FILE: write('right', 'secret') }
    await expectRefused('key did user --passphrase-file nowhere', later, 66, 'the passphrase file nowhere does not exist')
    await expectRefused('key did user --passphrase-file empty', later, 77, 'the passphrase file empty is empty')
    await expectRefused('key did user --passphrase-file .', later, 2, 'is not a regular file')
    await expectRefused('key did user', { DMS_PASSPHRASE_FILE: 'nowhere' }, 66, 'that DMS_PASSPHRASE_FILE names does not exist')
  })

  test('a descriptor that is not open, negative or empty', async () => {
    const later = { DMS_PASSPHRASE_FILE: write('right', 'secret') }
    await expectRefused('key did user --passphrase-fd 987', later, 2, 'file descriptor 987 is not open')
    await expectRefused('key did user --passphrase-fd -1', later, 2, '--passphrase-fd must not be negative')
    await expectRefused(`key did user --passphrase-fd ${descriptorOf('')}`, later, 77, 'is empty')
    await expectRefused('key did user', { ...later, DMS_PASSPHRASE_FD: 'three' }, 2, 'must be the number of a file descriptor')
    await expectRefused('key did user', { ...later, DMS_PASSPHRASE_FD: '987' }, 2, 'file descriptor 987 is not open')
  })

  test('a credential that is empty', async () => {
    await expectRefused('key did user', credentials({ 'dms-passphrase': '' }), 77, 'the credential dms-passphrase is empty')
  })

  test('two flags at once', async () => {
    await expectRefused('key did user --passphrase-fd 3 --passphrase-file x', {}, 2, 'exclude each other')
  })

  test('a wrong passphrase', async () => {
    await expectRefused('key did user', { DMS_PASSPHRASE_FILE: write('wrong', 'wrong') }, 77, 'mac mismatch')
  })
})

describe('the passphrase is taken', () => {
  const WRONG = 'wrong'

  test('from --passphrase-file before everything else', async () => {
    write('right', 'secret\r\n')
    const environment = { DMS_PASSPHRASE_FILE: write('wrong', WRONG) }
    expect((await nunet('key did user --passphrase-file right', { passphrase: WRONG, environment })).stdout).toBe(did)
  })

  test('from --passphrase-fd before everything else', async () => {
    const environment = { DMS_PASSPHRASE_FILE: write('wrong', WRONG) }
    const line = `key did user --passphrase-fd ${descriptorOf('secret\n')}`
    expect((await nunet(line, { passphrase: WRONG, environment })).stdout).toBe(did)
  })

  test('from stdin, when its descriptor is named', async () => {
    expect((await nunet('key did user --passphrase-fd 0', { input: 'secret\n' })).stdout).toBe(did)
  })

  test('from DMS_PASSPHRASE before descriptor, file and credential', async () => {
    const environment = { DMS_PASSPHRASE_FD: '987', DMS_PASSPHRASE_FILE: 'nowhere', ...credentials({ 'dms-passphrase': WRONG }) }
    expect((await nunet('key did user', { passphrase: 'secret', environment })).stdout).toBe(did)
  })

  test('from DMS_PASSPHRASE_FD before DMS_PASSPHRASE_FILE', async () => {
    const environment = { DMS_PASSPHRASE_FD: String(descriptorOf('secret')), DMS_PASSPHRASE_FILE: 'nowhere' }
    expect((await nunet('key did user', { environment })).stdout).toBe(did)
  })

  test('from DMS_PASSPHRASE_FILE before a credential', async () => {
    const environment = { DMS_PASSPHRASE_FILE: write('right', 'secret'), ...credentials({ 'dms-passphrase': WRONG }) }
    expect((await nunet('key did user', { environment })).stdout).toBe(did)
  })

  test('from the credential of the key before that of all keys, before the terminal', async () => {
    const environment = credentials({ 'dms-passphrase-user': 'secret\n', 'dms-passphrase': WRONG })
    expect((await nunet('key did user', { environment, answers: [WRONG] })).stdout).toBe(did)
  })

  test('from the credential of all keys', async () => {
    expect((await nunet('key did user', { environment: credentials({ 'dms-passphrase': 'secret' }) })).stdout).toBe(did)
  })

  test('from the terminal when the credentials have none, or when a variable is empty', async () => {
    const environment = { ...credentials({ other: 'x' }), DMS_PASSPHRASE_FILE: '', DMS_PASSPHRASE_FD: '' }
    expect(await nunet('key did user', { environment, answers: ['secret'] })).toEqual({
      code: 0,
      stdout: did,
      stderr: 'Passphrase: '
    })
  })

  test('for a new key from the same places', async () => {
    const environment = credentials({ 'dms-passphrase-dms': 'other' })
    const created = await nunet('key new dms', { environment })
    expect((await nunet('key did dms', { passphrase: 'other' })).stdout).toBe(created.stdout)
    write('file', 'third')
    await nunet('key new third --passphrase-file file', { environment })
    expect((await nunet('key did third', { passphrase: 'third' })).code).toBe(0)
  })
})

describe('a passphrase file', () => {
  test.each([0o644, 0o604, 0o620, 0o602])('of mode %o gets a warning, and is used', async (mode) => {
    write('right', 'secret', mode)
    const { stdout, stderr } = await nunet('key did user --passphrase-file right')
    expect(stdout).toBe(did)
    expect(stderr).toMatch(
      /^Warning: the passphrase file right is open to other users \(mode 0\d{3}\); close it with: chmod 600 \S+\n$/
    )
  })

  test.each([0o600, 0o400, 0o640])('of mode %o gets none', async (mode) => {
    write('right', 'secret', mode)
    expect((await nunet('key did user --passphrase-file right')).stderr).toBe('')
  })
})
