import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeHex, utf8 } from '../base/index.ts'
import { didOf, keyPairFromSeed, verifySignature } from '../identity/index.ts'
import { type LedgerEmulator, startLedgerEmulator } from '../testing/index.ts'
import { createEmulatorTransport } from './emulator.ts'
import { createRecordingHost, type RecordingHost } from './fixtures.ts'
import { createLedgerWallet } from './ledger.ts'
import { createWalletSigner, readWalletDid } from './signer.ts'

const NOWHERE = { classes: '/nowhere', devices: '/nowhere' }
const MESSAGE = utf8('dms:token:{}')

let emulator: LedgerEmulator
let host: RecordingHost
beforeEach(async () => {
  emulator = await startLedgerEmulator()
  host = createRecordingHost({ DMS_LEDGER_SPECULOS: emulator.url })
})
afterEach(() => emulator.close())

const ledgerOf = (account: number) => ({ kind: 'ledger' as const, wallet: createLedgerWallet({ host, account }), host })
const didAt = (account: number) => didOf({ type: 'eth', bytes: emulator.publicKey(`44'/60'/0'/0/${account}`) })

describe('without a Ledger', () => {
  test('both ways are named, and what to do', async () => {
    const alone = createRecordingHost({ PATH: '/nowhere:relative' })
    await expect(createLedgerWallet({ host: alone, account: 0, places: NOWHERE }).publicKey()).rejects.toMatchObject({
      code: 'WALLET_NOT_FOUND',
      message:
        "no Ledger: there is none on USB (connect it, unlock it and open its Ethereum app), and can't find ledger-cli in PATH"
    })
  })

  test('USB is left alone when it is switched off, and the error says so', async () => {
    const off = createRecordingHost({ DMS_LEDGER_USB: 'off' })
    await expect(createLedgerWallet({ host: off, account: 0 }).publicKey()).rejects.toThrow(
      'USB is switched off by DMS_LEDGER_USB'
    )
    const wrong = createRecordingHost({ DMS_LEDGER_USB: 'no' })
    await expect(createLedgerWallet({ host: wrong, account: 0 }).publicKey()).rejects.toThrow('can only be set to off')
  })

  test('an emulator that is named and not there is the error, whatever else there is', async () => {
    await emulator.close()
    await expect(ledgerOf(0).wallet.publicKey()).rejects.toMatchObject({
      code: 'WALLET_GONE',
      message: `no Ledger emulator answers at ${emulator.url}, which DMS_LEDGER_SPECULOS names`
    })
    emulator = await startLedgerEmulator()
  })

  test.each(['http://192.168.1.7:5000', 'https://127.0.0.1:5000', 'http://127.0.0.1.example.org', '5000', 'file:///tmp/x'])(
    'an emulator at %s is refused: it would see every token',
    (url) => {
      expect(() => createEmulatorTransport(url)).toThrow('DMS_LEDGER_SPECULOS must be an address of this machine')
    }
  )
})

describe('a signer of a Ledger', () => {
  test('refuses a context of another kind of key before it asks anybody', () => {
    const { did } = keyPairFromSeed(new Uint8Array(32).fill(1))
    expect(() => createWalletSigner(did, ledgerOf(0))).toThrow('use --context without ledger:')
    expect(emulator.commands).toEqual([])
  })

  test('names both DIDs when the device has another key, and shows its owner nothing', async () => {
    const signer = createWalletSigner(didAt(1), ledgerOf(0))
    const error = await signer.sign(MESSAGE).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'WALLET_WRONG_KEY' })
    expect(String(error)).toContain(didAt(0))
    expect(String(error)).toContain(didAt(1))
    expect(emulator.shown).toEqual([])
    expect(host.told).toEqual([])
  })

  test('hands out no signature that does not verify', async () => {
    emulator.meet(8, 'foreign')
    await expect(createWalletSigner(didAt(0), ledgerOf(0)).sign(MESSAGE)).rejects.toMatchObject({
      code: 'WALLET_BAD_ANSWER',
      message: expect.stringContaining('does not verify with its key; it was not used') as string
    })
  })

  test('says that its owner refused', async () => {
    emulator.meet(8, 'reject')
    await expect(createWalletSigner(didAt(0), ledgerOf(0)).sign(MESSAGE)).rejects.toMatchObject({ code: 'WALLET_REFUSED' })
  })

  test('asks the device for nothing until it signs', () => {
    expect(createWalletSigner(didAt(0), ledgerOf(0)).did).toBe(didAt(0))
    expect(emulator.commands).toEqual([])
  })

  test('signs with S in the low half, whatever the device gave', async () => {
    const ordinary = await createWalletSigner(didAt(2), ledgerOf(2)).sign(MESSAGE)
    emulator.meet(8, 'high-s')
    const turned = await createWalletSigner(didAt(2), ledgerOf(2)).sign(MESSAGE)
    expect(encodeHex(turned)).toBe(encodeHex(ordinary))
    expect(verifySignature(didAt(2), MESSAGE, turned)).toBe(true)
    expect(host.told).toEqual(
      new Array(2).fill("Confirm on your Ledger: sign with account 2 (44'/60'/0'/0/2) of the Ledger: dms:token:{}")
    )
  })

  test('has the DID that NuNet uses for Ledgers', async () => {
    expect(await readWalletDid(ledgerOf(0))).toBe(didAt(0))
    expect(didAt(0)).toMatch(/^did:key:zzCHUy/)
  })
})
