import { execFileSync } from 'node:child_process'
import { constants } from 'node:fs'
import { chmod, mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { encodeHex, systemClock, utf8 } from '../base/index.ts'
import { didOf, verifySignature } from '../identity/index.ts'
import { type LedgerEmulator, startLedgerEmulator } from '../testing/index.ts'
import { createEmulatorTransport } from './emulator.ts'
import { createRecordingHost, installPrograms, pathWith, spawnTool } from './fixtures.ts'
import { createReassembly, toPackets } from './hid-framing.ts'
import { createHidTransport } from './hid-transport.ts'
import { findHidraw, type HidrawPlaces, openHidraw } from './hidraw.ts'
import { createLedgerWallet } from './ledger.ts'
import { type HidEntry, type HidLibrary, openHidDevice } from './node-hid.ts'
import { createWalletSigner } from './signer.ts'

const NOBODY = 65_534

/** Does without the rights of the superuser, who may open everything; gives them back in the end. */
async function unprivileged<T>(work: (giveBack: () => void) => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return await work(() => undefined)
  const giveBack = (): void => process.seteuid?.(0)
  process.seteuid?.(NOBODY)
  try {
    return await work(giveBack)
  } finally {
    giveBack()
  }
}

const APDU_DESCRIPTOR = '06a0ff0901a101'
const FIDO_DESCRIPTOR = '06d0f10901a101'

let root = ''
let places: HidrawPlaces = { classes: '', devices: '' }
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'wallet-usb-'))
  places = { classes: join(root, 'sys'), devices: join(root, 'dev') }
  await mkdir(places.devices)
})
afterEach(() => rm(root, { recursive: true }))

/** What the kernel shows of a device. */
async function plugIn(name: string, vendor: string, descriptor: string): Promise<void> {
  const directory = join(places.classes, name, 'device')
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'uevent'), `DRIVER=hid-generic\nHID_ID=0003:${vendor}:00004015\nHID_NAME=Ledger Nano X\n`)
  await writeFile(join(directory, 'report_descriptor'), Buffer.from(descriptor, 'hex'))
}

describe('on Linux, a Ledger', () => {
  test('is not found where there are no devices, or only others', async () => {
    expect(await findHidraw(places)).toBeUndefined()
    await plugIn('hidraw0', '0000046D', APDU_DESCRIPTOR)
    await plugIn('hidraw1', '00002C97', FIDO_DESCRIPTOR)
    await plugIn('other', '00002C97', APDU_DESCRIPTOR)
    expect(await findHidraw(places)).toBeUndefined()
  })

  test('is found by its maker and by the interface that speaks APDUs', async () => {
    await plugIn('hidraw0', '0000046D', APDU_DESCRIPTOR)
    await plugIn('hidraw1', '00002C97', FIDO_DESCRIPTOR)
    await plugIn('hidraw2', '00002C97', APDU_DESCRIPTOR)
    expect(await findHidraw(places)).toBe(join(places.devices, 'hidraw2'))
  })

  test('that is gone when it is opened says so', async () => {
    await expect(openHidraw(join(places.devices, 'hidraw2'), systemClock)).rejects.toMatchObject({ code: 'WALLET_GONE' })
  })

  test('is waited for until it says something, or until it is no longer wanted', async () => {
    const path = join(places.devices, 'hidraw2')
    execFileSync('mkfifo', [path])
    const device = await openHidraw(path, systemClock)
    const other = await open(path, constants.O_WRONLY | constants.O_NONBLOCK)
    try {
      const reading = device.read()
      await other.write(Buffer.alloc(64, 7))
      expect(encodeHex(await reading)).toBe('07'.repeat(64))
      await expect(device.read({ signal: AbortSignal.timeout(30) })).rejects.toMatchObject({ code: 'BASE_CANCELLED' })
      // the number of the report goes before each packet
      await device.write(Buffer.alloc(64, 9))
      expect(encodeHex(await device.read())).toBe(`00${'09'.repeat(63)}`)
    } finally {
      await other.close()
      await device.close()
      await device.close()
    }
  })

  describe('that this user may not open', () => {
    beforeEach(async () => {
      await plugIn('hidraw2', '00002C97', APDU_DESCRIPTOR)
      await writeFile(join(places.devices, 'hidraw2'), '')
      await chmod(join(places.devices, 'hidraw2'), 0)
      await chmod(root, 0o755)
    })

    test('is an error that names the udev rule', async () => {
      const host = createRecordingHost({})
      const asked = unprivileged(() => createLedgerWallet({ host, account: 0, places }).publicKey())
      await expect(asked).rejects.toMatchObject({
        code: 'WALLET_FORBIDDEN',
        message: expect.stringContaining('udev rule') as string
      })
    })

    test('is left to ledger-cli when there is one', async () => {
      const directory = await installPrograms('ledger-cli')
      onTestFinished(() => rm(directory, { recursive: true }))
      const environment = { PATH: pathWith(directory) }
      await chmod(directory, 0o755)
      const key = await unprivileged((giveBack) => {
        const run = spawnTool(environment)
        const host = createRecordingHost(environment, {
          runTool(tool) {
            giveBack() // the stand-in may lie where only this user can read
            return run(tool)
          }
        })
        return createLedgerWallet({ host, account: 0, places }).publicKey()
      })
      expect(key).toHaveLength(33)
    })
  })
})

/** A Ledger behind the interface of node-hid: the packets of USB on one side, the stand-in on the other. */
function createHidLibrary(
  emulator: LedgerEmulator,
  entries: readonly HidEntry[],
  faults: { readonly [on: string]: string } = {}
): HidLibrary {
  const fail = (on: string): void => {
    if (faults[on] !== undefined) throw new Error(faults[on])
  }
  const line = createEmulatorTransport(emulator.url)
  return {
    async devicesAsync() {
      fail('list')
      return entries
    },
    HIDAsync: {
      async open() {
        fail('open')
        let command = createReassembly()
        let answers: Uint8Array[] = []
        return {
          async write(report) {
            fail('write')
            expect(report).toHaveLength(65)
            expect(report[0]).toBe(0)
            const apdu = command.add(Uint8Array.from(report.slice(1)))
            if (apdu !== undefined) {
              command = createReassembly()
              answers = [...toPackets(await line.exchange(apdu))]
            }
            return report.length
          },
          async read() {
            fail('read')
            return answers.shift()
          },
          close: async () => undefined
        }
      }
    }
  }
}

describe('through node-hid, a Ledger', () => {
  const LEDGER: HidEntry = { vendorId: 0x2c97, path: 'usb', usagePage: 0xffa0, interface: 2 }
  let emulator: LedgerEmulator
  beforeEach(async () => {
    emulator = await startLedgerEmulator()
  })
  afterEach(() => emulator.close())

  test('is not found among other devices', async () => {
    const others = [
      { vendorId: 0x046d, path: 'mouse', usagePage: 0xffa0, interface: 0 },
      { vendorId: 0x2c97, path: 'fido', usagePage: 0xf1d0, interface: 1 }
    ]
    expect(await openHidDevice(createHidLibrary(emulator, others))).toBeUndefined()
  })

  test.each([
    ['list', 'WALLET_BAD_ANSWER'],
    ['open', 'WALLET_BUSY'],
    ['write', 'WALLET_GONE'],
    ['read', 'WALLET_GONE']
  ])('whose library fails at %s is %s', async (on, code) => {
    const library = createHidLibrary(emulator, [LEDGER], { [on]: 'could not do it' })
    const host = createRecordingHost({})
    await expect(createLedgerWallet({ host, account: 0, library }).publicKey()).rejects.toMatchObject({ code })
  })

  test('signs a text of many packets', async () => {
    const host = createRecordingHost({})
    const wallet = createLedgerWallet({ host, account: 3, library: createHidLibrary(emulator, [LEDGER]) })
    const key = await wallet.publicKey()
    expect(encodeHex(key)).toBe(encodeHex(emulator.publicKey("44'/60'/0'/0/3")))
    const did = didOf({ type: 'eth', bytes: key })
    const message = utf8('dms:token:'.repeat(100))
    const signature = await createWalletSigner(did, { kind: 'ledger', wallet, host }).sign(message)
    expect(verifySignature(did, message, signature)).toBe(true)
    expect(host.told.join()).toContain("Confirm on your Ledger: sign with account 3 (44'/60'/0'/0/3) of the Ledger: dms:token:")
  })

  test('is read again and again until it answers or the signal is aborted', async () => {
    const device = await openHidDevice(createHidLibrary(emulator, [LEDGER]))
    if (device === undefined) throw new Error('the stand-in is listed')
    const stop = new AbortController()
    stop.abort()
    const asked = createHidTransport(device).exchange(Buffer.from('e006000000', 'hex'), { signal: stop.signal })
    await expect(asked).rejects.toMatchObject({ code: 'BASE_CANCELLED' })
  })
})
