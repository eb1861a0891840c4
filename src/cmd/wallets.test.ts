import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import vectors from '../../test/vectors/identity.json' with { type: 'json' }
import { type LedgerEmulator, startLedgerEmulator } from '../testing/index.ts'
import { parseTokens } from '../ucan/index.ts'
import { type CallOptions, call, type Outcome, startFakeNode } from './fixtures.ts'

let home = ''
let device: LedgerEmulator
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-wallets-'))
  device = await startLedgerEmulator()
})
afterEach(async () => {
  await device.close()
  await rm(home, { recursive: true })
})

/** A passphrase is never given: for a wallet none may be asked. */
type Run = (line: string, options?: CallOptions) => Promise<Outcome>

const withDevice: Run = (line, options) =>
  call(home, line.split(' '), { passphrase: '', environment: { DMS_LEDGER_SPECULOS: device.url, PATH: '/nowhere' }, ...options })

/** The stand-in programs of test/fixtures/wallets, in a directory for `PATH`. */
async function programs(variables: Readonly<Record<string, string>> = {}): Promise<Run> {
  const directory = join(home, 'bin')
  await mkdir(directory, { recursive: true })
  for (const name of ['ledger-cli', 'eternl-cli']) {
    const source = join(import.meta.dirname, '../../test/fixtures/wallets', `${name}.mjs`)
    await writeFile(join(directory, name), `#!/bin/sh\nexec "${process.execPath}" "${source}" "$@"\n`)
    await chmod(join(directory, name), 0o755)
  }
  const environment = {
    PATH: [directory, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
    DMS_LEDGER_USB: 'off',
    STAND_IN_LOG: join(home, 'calls'),
    DMS_PASSPHRASE_FILE: join(home, 'nothing'),
    ...variables
  }
  return (line, options) => call(home, line.split(' '), { passphrase: '', environment, ...options })
}

function outputOf(outcome: Outcome): string {
  expect(outcome).toMatchObject({ code: 0 })
  expect(outcome.stdout.split('\n')).toHaveLength(2)
  return outcome.stdout.trim()
}

const TERMS = '--cap /public --cap /broadcast --topic /nunet --duration 24h'

/** What the reference's guide does with a wallet for the user and a key for the service. */
async function quickStart(nunet: Run, name: string): Promise<void> {
  const software = { passphrase: 'secret' }
  const wallet = outputOf(await nunet(`key did ${name}`))
  expect(wallet).toMatch(/^did:key:zz?[A-Z]/)
  const created = await nunet(`cap new ${name}`)
  expect(outputOf(created)).toBe(wallet)
  expect(created.stderr).toContain('cap/user.cap')
  expect((await stat(join(home, '.nunet/cap/user.cap'))).mode & 0o777).toBe(0o600)
  const dms = outputOf(await nunet('cap new dms', software))
  const org = outputOf(await nunet('cap new org', software))
  outputOf(await nunet('cap new org2', software))
  expect(await nunet(`cap anchor -c dms --root ${wallet}`, software)).toMatchObject({ code: 0, stdout: '' })

  const grant = outputOf(await nunet(`cap grant -c ${name} ${TERMS} ${org}`))
  expect(await nunet('cap anchor -c dms --require -', { ...software, input: grant })).toMatchObject({ code: 0 })
  const ofOrg = outputOf(await nunet(`cap grant -c org ${TERMS} ${wallet}`, software))
  expect(await nunet(`cap anchor -c ${name} --provide -`, { input: ofOrg })).toMatchObject({ code: 0, stdout: '' })
  const delegation = outputOf(await nunet(`cap delegate -c ${name} ${TERMS.replace('24h', '23h')} ${dms}`))
  expect(await nunet('cap anchor -c dms --provide -', { ...software, input: delegation })).toMatchObject({ code: 0 })
  const listed = await nunet(`cap list -c ${name}`)
  expect(listed.stdout).toMatch(/^roots:\nrequire:\nprovide:\n\t\{"dms":.*\nrevoke:\n$/)
  const dmsContext = (await nunet('cap list -c dms', software)).stdout
  expect(dmsContext.split('\n').filter((line) => line.startsWith('\t{'))).toHaveLength(2)

  const revocation = outputOf(await nunet(`cap revoke -c ${name} ${grant}`))
  expect(await nunet('cap anchor -c dms --revoke -', { ...software, input: revocation })).toMatchObject({ code: 0 })
}

describe('without a wallet', () => {
  // a Ledger of whoever runs the tests is left alone
  test.each(['key did ledger', 'cap new ledger:user'])('nunet %s says what is missing, and writes nothing', async (line) => {
    const outcome = await call(home, line.split(' '), {
      passphrase: '',
      environment: { PATH: '/nowhere', DMS_LEDGER_USB: 'off' }
    })
    expect(outcome).toMatchObject({ code: 69, stdout: '' })
    expect(outcome.stderr).toBe("Error: USB is switched off by DMS_LEDGER_USB, and can't find ledger-cli in PATH\n")
    expect(await readdir(home)).toEqual([])
  })

  test('nunet cap new eternl says what to do, and writes nothing', async () => {
    const outcome = await call(home, ['cap', 'new', 'eternl'], { passphrase: '', environment: { PATH: '/nowhere' } })
    expect(outcome).toMatchObject({
      code: 69,
      stdout: '',
      stderr: expect.stringContaining("can't find eternl-cli in PATH") as string
    })
    expect(await readdir(home)).toEqual([])
  })

  test('a context of a Ledger can still be listed', async () => {
    await withDevice('cap new ledger:user')
    const outcome = await call(home, ['cap', 'list', '-c', 'ledger:user'], { passphrase: '', environment: { PATH: '/nowhere' } })
    expect(outcome).toEqual({ code: 0, stdout: 'roots:\nrequire:\nprovide:\nrevoke:\n', stderr: '' })
  })
})

describe('with a Ledger', () => {
  test('the quick start works as it is printed, without a passphrase for the user', async () => {
    await quickStart(withDevice, 'ledger:user')
    // one signature each for the new context, grant, the anchor, delegate and revoke; the texts are those of the tokens
    const token = 'dms:token:{"act":'
    const shown = device.shown.map((text) => Buffer.from(text).toString('utf8'))
    expect(shown.map((text) => /^dms:\w+:(?:\{"act":)?/.exec(text)?.[0])).toEqual([
      'dms:context:',
      token,
      'dms:context:',
      token,
      token
    ])
  })

  test('its owner is told to confirm, with the text that the device shows', async () => {
    const did = outputOf(await withDevice('cap new ledger:user'))
    const { stderr } = await withDevice(`cap grant -c ledger:user --cap /public --duration 1h ${did}`)
    expect(stderr).toMatch(
      /^Confirm on your Ledger: sign with account 0 \(44'\/60'\/0'\/0\/0\) of the Ledger: dms:token:\{"act":"delegate"/
    )
  })

  test.each([
    ['reject', 130, 'the signature was refused on the Ledger'],
    ['locked', 69, 'enter its PIN'],
    ['wrong-app', 69, 'the Ethereum app is not open'],
    ['foreign', 69, 'does not verify']
  ] as const)('that is in the mood %s, nothing is printed on stdout', async (mood, code, text) => {
    const did = outputOf(await withDevice('cap new ledger:user'))
    device.meet(8, mood)
    const outcome = await withDevice(`cap grant -c ledger:user --cap /public --duration 1h ${did}`)
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toContain(`Error: `)
    expect(outcome.stderr).toContain(text)
  })

  test('of another owner, both DIDs are named', async () => {
    const did = outputOf(await withDevice('cap new ledger:user'))
    const other = await startLedgerEmulator({ seed: 'another' })
    const environment = { DMS_LEDGER_SPECULOS: other.url }
    const outcome = await withDevice(`cap grant -c ledger:user --cap /public --duration 1h ${did}`, { environment })
    const otherDid = outputOf(await withDevice('key did ledger', { environment }))
    await other.close()
    expect(outcome).toMatchObject({ code: 77, stdout: '' })
    expect(outcome.stderr).toContain(`the wallet has the key of ${otherDid}, but ${did} has to sign`)
    expect(other.shown).toEqual([])
  })

  test('an index is an account, an alias another name for it, and any other name means account 0', async () => {
    const first = outputOf(await withDevice('key did ledger'))
    const fifth = outputOf(await withDevice('key did ledger:5'))
    expect(fifth).not.toBe(first)
    expect(outputOf(await withDevice('key did ledger:biz'))).toBe(first)
    const { command, stdout } = vectors.ledgerAlias
    expect(await withDevice(command.replace('nunet ', ''))).toEqual({ code: 0, stdout, stderr: '' })
    expect(outputOf(await withDevice('key did ledger:biz'))).toBe(fifth)
    const other = await withDevice('key did ledger:bizz')
    expect(other.stderr).toBe('bizz is no alias of a Ledger account: account 0 is used\n')
    expect(outputOf(other)).toBe(first)
    expect((await withDevice('key ledger-alias list')).stdout).toBe('biz\t5\n')
    expect(JSON.parse((await withDevice('key ledger-alias list --json')).stdout)).toEqual([{ alias: 'biz', account: 5 }])
    expect(await withDevice('key ledger-alias remove biz')).toMatchObject({ code: 0, stdout: '' })
    expect(outputOf(await withDevice('key did ledger:biz'))).toBe(first)
    expect(outputOf(await withDevice('cap new ledger:5'))).toBe(fifth)
    expect(await readdir(join(home, '.nunet/cap'))).toEqual(['5.cap'])
  })

  test('keys whose names only begin like that of a wallet stay keys', async () => {
    const software = { passphrase: 'secret' }
    for (const name of ['ledger2', 'ledgerbob', 'eternlity']) {
      expect(outputOf(await withDevice(`key new ${name}`, software))).toMatch(/^did:key:z6Mk/)
      expect(outputOf(await withDevice(`cap new ${name}`, software))).toMatch(/^did:key:z6Mk/)
    }
    expect(device.commands).toEqual([])
  })

  test('a context that exists is not replaced unasked, and the old one is kept', async () => {
    await withDevice('cap new ledger:user')
    expect(await withDevice('cap new ledger:user')).toMatchObject({ code: 65, stdout: '' })
    expect(await withDevice('cap new ledger:user --force')).toMatchObject({ code: 0 })
    expect((await readdir(join(home, '.nunet/cap'))).filter((name) => /^user\.cap\.\d+$/.test(name))).toHaveLength(1)
  })

  test('a context under the other name of the Go program is found, and used under the first from then on', async () => {
    const did = outputOf(await withDevice('cap new ledger:user'))
    const cap = join(home, '.nunet/cap')
    await rename(join(cap, 'user.cap'), join(cap, 'ledger:user.cap'))
    const listed = await withDevice('cap list -c ledger:user')
    expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('roots:') as string })
    expect(listed.stderr).toContain('ledger:user.cap to')
    await withDevice(`cap anchor -c ledger:user --root ${did}`)
    expect(await readFile(join(cap, 'user.cap'), 'utf8')).toContain(`"roots":[{"uri":"${did}"}]`)
    expect((await readdir(cap)).sort()).toEqual(['ledger:user.cap', 'user.cap'])
    expect((await withDevice('cap list -c ledger:user')).stderr).toBe('')
  })

  test('its context without the word before the colon is not taken for one of a key', async () => {
    const did = outputOf(await withDevice('cap new ledger:user'))
    const line = `cap grant -c user --cap /public --duration 1h ${did}`
    const message = 'Error: the capability context user belongs to a wallet: use --context ledger:user\n'
    expect(await withDevice(line)).toEqual({ code: 2, stdout: '', stderr: message })
  })

  test('the context of a key is not signed for by the Ledger', async () => {
    await withDevice('cap new user', { passphrase: 'secret' })
    const outcome = await withDevice(
      'cap grant -c ledger:user --cap /public --duration 1h did:key:z6MkvRY9Uk6FnLQKzEd9BXNYEYwbtwtLLiB4uPQ1HPdFhw9n'
    )
    expect(outcome).toMatchObject({ code: 77, stdout: '' })
    expect(outcome.stderr).toContain('use --context without ledger:')
  })

  test('a message to the node carries tokens that the Ledger signed, and lives long enough to be confirmed', async () => {
    const node = await startFakeNode(() => ({ resp: 'hello' }))
    const did = outputOf(await withDevice('cap new ledger:user'))
    const before = Date.now()
    const outcome = await withDevice(`--rest-port ${node.port} actor cmd -c ledger:user /public/hello`)
    await node.close()
    expect(outcome).toMatchObject({ code: 0, stdout: '{\n  "resp": "hello"\n}\n' })
    const [seen] = node.seen
    expect(seen?.envelope.from.did).toBe(did)
    expect(Number((seen?.envelope.expiresAt ?? 0n) / 1_000_000n) - before).toBeGreaterThan(150_000)
    const tokens = parseTokens(Buffer.from(seen?.envelope.capabilities ?? []).toString('utf8'))
    expect(tokens.ok && tokens.value.map(({ issuer }) => issuer)).toEqual([did, did])
    expect(device.shown).toHaveLength(3) // the new context, the call and the grant to reply
  })
})

describe('with ledger-cli', () => {
  test('the quick start works the same, and nothing of it gets into the output', async () => {
    const nunet = await programs()
    await quickStart(nunet, 'ledger:user')
    const calls = (await readFile(join(home, 'calls'), 'utf8'))
      .trim()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as { readonly args: readonly string[]; readonly mode: string; readonly environment: readonly string[] }
      )
    expect(calls.map(({ args }) => args[0])).toEqual(['key', 'key', 'sign', 'sign', 'sign', 'sign', 'sign'])
    expect(calls.every(({ args }) => args[1] === '-o' && args[3] === '-a' && args[4] === '0')).toBe(true)
    expect(calls.every(({ mode }) => mode === '600')).toBe(true)
    expect(calls.flatMap(({ environment }) => environment).filter((name) => name.startsWith('DMS_'))).toEqual([])
    const token = Buffer.from(calls[3]?.args[5] ?? '', 'hex').toString('utf8')
    expect(token).toMatch(/^dms:token:\{"act":"delegate"/)
  })

  test('what it prints goes to stderr', async () => {
    const { stdout, stderr } = await (await programs())('key did ledger')
    expect(stdout).toMatch(/^did:key:zzCHUy\w+\n$/)
    expect(stderr).toContain('Please confirm on the device\n')
    expect(stderr).toContain('connected\n')
  })

  test.each([
    [{ STAND_IN_MOOD: 'fails' }, 'error executing ledger cli'],
    [{ STAND_IN_MOOD: 'removes' }, 'open ledger output'],
    [{ STAND_IN_OUTPUT: 'not-json' }, 'parse ledger output'],
    [{ STAND_IN_OUTPUT: '{"key":"ZZZ","address":"x"}' }, 'decode ledger key']
  ])('that is broken (%j), nothing is written', async (variables, text) => {
    const nunet = await programs(variables)
    const outcome = await nunet('cap new ledger')
    expect(outcome).toMatchObject({ code: 69, stdout: '' })
    expect(outcome.stderr).toContain(text)
    expect(await readdir(home)).not.toContain('.nunet')
  })

  test('with S in the high half the token has it in the low half; of another key it is refused', async () => {
    const did = outputOf(await (await programs())('cap new ledger'))
    const line = `cap grant -c ledger --cap /public --duration 1h ${did}`
    const high = outputOf(await (await programs({ STAND_IN_MOOD: 'high-s' }))(line))
    const tokens = parseTokens(high)
    const signature = Buffer.from((tokens.ok ? tokens.value[0]?.signature : undefined) ?? [])
    const s = signature.subarray(-32)
    expect(s[0]).toBeLessThan(0x80)
    const refused = await (await programs({ STAND_IN_MOOD: 'foreign' }))(line)
    expect(refused).toMatchObject({ code: 69, stdout: '' })
    expect(refused.stderr).toContain('does not verify with its key; it was not used')
  })

  test('that hangs is ended by Ctrl-C, and leaves no file', async () => {
    const nunet = await programs({ STAND_IN_MOOD: 'hangs' })
    let interrupt: () => void = () => undefined
    const outcome = await nunet('key did ledger', {
      onStopSignal: (listener) => {
        interrupt = listener
        return () => undefined
      },
      stderr: {
        write: async (text) => {
          if (text.includes('connected')) interrupt()
        }
      }
    })
    expect(outcome).toMatchObject({ code: 130, stdout: '' })
    const [file = ''] = (
      JSON.parse(await readFile(join(home, 'calls'), 'utf8')) as { readonly args: readonly string[] }
    ).args.slice(2)
    await expect(stat(dirname(file))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('with Eternl', () => {
  test('the quick start works the same', async () => {
    await quickStart(await programs(), 'eternl:user')
  })

  test('a signature over a hash is refused, and nothing is printed', async () => {
    const did = outputOf(await (await programs())('cap new eternl'))
    const outcome = await (await programs({ STAND_IN_MOOD: 'hashed' }))(`cap grant -c eternl --cap /public --duration 1h ${did}`)
    expect(outcome).toMatchObject({ code: 2, stdout: '' })
    expect(outcome.stderr).toContain('hashed: true')
  })
})

describe('a key of type secp256k1', () => {
  test('is made, opened, and signs tokens', async () => {
    const software = { passphrase: 'secret' }
    const did = outputOf(await withDevice('key new user --type secp256k1', software))
    expect(did).toMatch(/^did:key:zQ3s/)
    expect(outputOf(await withDevice('cap new user', software))).toBe(did)
    expect(outputOf(await withDevice('key did user', software))).toBe(did)
    const grant = outputOf(await withDevice(`cap grant -c user --cap /public --duration 1h ${did}`, software))
    expect(await withDevice('cap anchor -c user --require -', { ...software, input: grant })).toMatchObject({ code: 0 })
  })
})
