import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { summarizeContext } from '../../doctor/index.ts'
import { type LedgerEmulator, startLedgerEmulator } from '../../testing/index.ts'
import { type CallOptions, call, type Outcome } from '../fixtures.ts'

const NETWORK = ['--organization', 'did:key:z6MkuscdkekGKxXUvuuY9d3VEefbAyNTd8LdGZtBbFxdbDjR', '--expiry', '2027-01-01']

let home = ''
let device: LedgerEmulator
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-setup-wallet-'))
  device = await startLedgerEmulator()
})
afterEach(async () => {
  await device.close()
  await rm(home, { recursive: true })
})

function setup(argv: readonly string[], options: CallOptions = {}): Promise<Outcome> {
  const environment = { DMS_LEDGER_SPECULOS: device.url, PATH: '/nowhere' }
  return call(home, ['--rest-port', '1', 'setup', ...argv], { now: '2026-06-01T00:00:00Z', environment, ...options })
}

const names = (directory: string) => readdir(join(home, '.nunet', directory)).catch(() => [])

async function summaryOf(name: string) {
  const summary = summarizeContext(await readFile(join(home, '.nunet/cap', `${name}.cap`), 'utf8'))
  if (!summary.ok) throw new Error(summary.error)
  return summary.value
}

describe('nunet setup with a Ledger', () => {
  test('makes nothing for the owner when it is refused on the device, and can be run again', async () => {
    device.meet(8, 'reject')
    const refused = await setup(['--yes', '--user', 'ledger:owner', ...NETWORK])
    expect(refused).toMatchObject({ code: 130, stdout: '' })
    expect([await names('key'), await names('cap')]).toEqual([[], []])
    expect((await setup(['--yes', '--user', 'ledger:owner', ...NETWORK])).code).toBe(0)
    expect(await names('cap')).toEqual(['dms.cap', 'owner.cap'])
  })

  test('makes no key file for the owner, and then finds nothing to do without the device', async () => {
    const first = await setup(['--yes', '--user', 'ledger:owner', ...NETWORK])
    expect(first.code).toBe(0)
    expect(await names('key')).toEqual(['dms.json'])
    const [owner, dms] = [await summaryOf('owner'), await summaryOf('dms')]
    expect(owner.did).toMatch(/^did:key:zzCHUy/)
    expect(dms.roots).toEqual([owner.did])
    expect(dms.require).toMatchObject([{ issuer: owner.did, capabilities: ['/public', '/broadcast'] }])
    expect(first.stdout).toBe(`ledger:owner ${owner.did}\ndms ${dms.did}\n`)
    expect(first.stderr).toContain('nunet cap grant --context ledger:owner')

    const asked = device.commands.length
    const second = await setup(['--yes', '--user', 'ledger:owner', ...NETWORK], { passphrase: '' })
    expect(second.code).toBe(0)
    expect(second.stderr).toContain('Nothing was changed')
    expect(device.commands).toHaveLength(asked)
  })

  test('is offered to a person, and found again by the context that it made', async () => {
    const first = await setup([], { answers: ['', '', '', 'ledger', 'none'] })
    expect(first.code).toBe(0)
    expect((await summaryOf('user')).did).toMatch(/^did:key:zzCHUy/)
    const asked = device.commands.length
    const second = await setup([], { answers: ['none'], passphrase: '' })
    expect(second.stderr).toContain('Nothing was changed')
    expect(device.commands).toHaveLength(asked)
  })

  test('is refused for the service, before anything is made', async () => {
    const { code, stderr } = await setup(['--yes', '-c', 'ledger:dms'])
    expect(code).toBe(2)
    expect(stderr).toContain('ledger:dms means a wallet: the service signs every message by itself')
    expect(await readdir(home)).toEqual([])
  })
})
