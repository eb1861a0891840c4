import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeHex, systemClock, utf8 } from '../base/index.ts'
import { verifyWithKey } from '../identity/index.ts'
import { createVirtualClock, type LedgerEmulator, type LedgerMood, startLedgerEmulator } from '../testing/index.ts'
import { createEmulatorTransport } from './emulator.ts'
import { type EthereumApp, MAX_MESSAGE, pathText, readPublicKey, signPersonalMessage } from './ethereum-app.ts'
import { createScriptedTransport } from './fixtures.ts'

/** What is used of Ledger's libraries, whose own types NodeNext cannot read. */
interface LedgerTransport {
  close(): Promise<void>
}
interface LedgerLibrary {
  getAddress(path: string): Promise<{ readonly publicKey: string }>
  signPersonalMessage(path: string, hex: string): Promise<{ readonly v: number; readonly r: string; readonly s: string }>
}
let device: LedgerEmulator
let app: EthereumApp
beforeAll(async () => {
  device = await startLedgerEmulator()
  app = { transport: createEmulatorTransport(device.url), clock: systemClock }
})
afterAll(() => device.close())

const MESSAGE = utf8('dms:token:{"act":"delegate"}')

const scripted = (...answers: readonly string[]): EthereumApp => ({
  transport: createScriptedTransport(...answers),
  clock: systemClock
})

describe('the Ledger refuses, and the error says what to do', () => {
  test.each<[LedgerMood, string, string]>([
    ['reject', 'WALLET_REFUSED', 'the signature was refused on the Ledger'],
    ['locked', 'WALLET_LOCKED', 'enter its PIN'],
    [{ status: 0x6982 }, 'WALLET_LOCKED', 'enter its PIN'],
    [{ status: 0x5303 }, 'WALLET_LOCKED', 'enter its PIN'],
    ['wrong-app', 'WALLET_WRONG_APP', 'the Ethereum app is not open'],
    [{ status: 0x6d00 }, 'WALLET_WRONG_APP', 'the Ethereum app is not open'],
    [{ status: 0x6511 }, 'WALLET_WRONG_APP', 'the Ethereum app is not open'],
    [{ status: 0x5501 }, 'WALLET_REFUSED', 'refused on the Ledger'],
    [{ status: 0xb007 }, 'WALLET_BUSY', 'busy with an earlier question'],
    [{ status: 0x6faa }, 'WALLET_GONE', 'has halted'],
    [{ status: 0x6a80 }, 'WALLET_FAILED', '0x6a80'],
    [{ status: 0x6f01 }, 'WALLET_FAILED', 'status 0x6f01'],
    ['unplugged', 'WALLET_GONE', 'no Ledger emulator answers'],
    ['garbage', 'WALLET_BAD_ANSWER', 'something else than'],
    ['truncated', 'WALLET_BAD_ANSWER', '20 bytes instead of a signature of 65'],
    ['endless', 'WALLET_BAD_ANSWER', 'answered with over']
  ])('%j is %s', async (mood, code, text) => {
    device.meet(8, mood)
    const error = await signPersonalMessage(app, 0, MESSAGE).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code, message: expect.stringContaining(text) as string })
  })

  test('a silent device is given up after five minutes', async () => {
    const clock = createVirtualClock()
    const transport = { exchange: () => new Promise<never>(() => undefined), close: async () => undefined }
    const signing = signPersonalMessage({ transport, clock }, 0, MESSAGE)
    await expect(clock.run(signing)).rejects.toMatchObject({
      code: 'WALLET_TIMEOUT',
      message: 'the Ledger did not answer within 300 seconds; nothing was signed'
    })
  })

  test('a silent device is given up at once when the signature is no longer wanted', async () => {
    device.meet(8, 'silent')
    const stop = new AbortController()
    const before = device.shown.length
    const signing = signPersonalMessage(app, 0, MESSAGE, { signal: stop.signal })
    while (device.shown.length === before) await new Promise((resolve) => setImmediate(resolve))
    stop.abort()
    await expect(signing).rejects.toMatchObject({ code: 'BASE_CANCELLED' })
  })

  test('a message that is empty or too long, before anything is sent', async () => {
    const line = createScriptedTransport()
    const idle = { transport: line, clock: systemClock }
    await expect(signPersonalMessage(idle, 0, new Uint8Array())).rejects.toMatchObject({ code: 'WALLET_MESSAGE_TOO_LONG' })
    await expect(signPersonalMessage(idle, 0, new Uint8Array(MAX_MESSAGE + 1))).rejects.toMatchObject({
      code: 'WALLET_MESSAGE_TOO_LONG'
    })
    expect(line.sent).toEqual([])
  })
})

describe('an answer that is none is refused:', () => {
  const point = `04${'79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8'}`
  const address = Buffer.from('0'.repeat(40)).toString('hex')

  test.each([
    ['nothing', '', '0 bytes'],
    ['one byte', '90', '1 bytes'],
    ['no key', '9000', 'no public key'],
    ['a point without address', `41${point}9000`, 'no public key'],
    ['a point of another length', `40${point}28${address}9000`, 'no public key'],
    ['something after the address', `41${point}28${address}009000`, 'no public key'],
    ['a point that is not on the curve', `41${point.replace('79be', '79bf')}28${address}9000`, 'not on the curve'],
    ['more than a short answer', '00'.repeat(300), '300 bytes']
  ])('%s for a key', async (_name, answer, text) => {
    await expect(readPublicKey(scripted(answer), 0)).rejects.toMatchObject({
      code: 'WALLET_BAD_ANSWER',
      message: expect.stringContaining(text) as string
    })
  })

  test('is taken when it is whole', async () => {
    const key = await readPublicKey(scripted(`41${point}28${address}9000`), 0)
    expect(key.type).toBe('eth')
    expect(encodeHex(key.bytes)).toBe('0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798')
  })

  test.each([
    ['no signature', '9000', '0 bytes instead of a signature'],
    ['r = 0', `1b${'00'.repeat(32)}${'11'.repeat(32)}9000`, 'bad signature'],
    ['s over the order', `1b${'11'.repeat(32)}${'ff'.repeat(32)}9000`, 'bad signature']
  ])('%s for a message', async (_name, answer, text) => {
    await expect(signPersonalMessage(scripted(answer), 0, MESSAGE)).rejects.toMatchObject({
      code: 'WALLET_BAD_ANSWER',
      message: expect.stringContaining(text) as string
    })
  })

  test('data before the whole message was sent', async () => {
    await expect(signPersonalMessage(scripted('019000', '9000'), 0, new Uint8Array(200).fill(65))).rejects.toMatchObject({
      code: 'WALLET_BAD_ANSWER'
    })
  })
})

describe("Ledger's own library and ours, against the same device,", () => {
  let transport: LedgerTransport
  let library: LedgerLibrary
  beforeAll(async () => {
    const { default: Speculos } = (await import('@ledgerhq/hw-transport-node-speculos-http')) as unknown as {
      readonly default: { open(options: { readonly baseURL: string; readonly apiPort: string }): Promise<LedgerTransport> }
    }
    const { default: Eth } = (await import('@ledgerhq/hw-app-eth')) as unknown as {
      readonly default: new (transport: LedgerTransport) => LedgerLibrary
    }
    transport = await Speculos.open({ baseURL: 'http://127.0.0.1', apiPort: String(device.port) })
    library = new Eth(transport)
  })
  afterAll(() => transport.close())

  async function commandsOf(work: () => Promise<unknown>): Promise<readonly string[]> {
    const before = device.commands.length
    await work()
    return device.commands.slice(before)
  }

  test.each([0, 1, 5, 2 ** 31 - 1])('ask for the key of account %i with the same bytes and get the same key', async (account) => {
    const theirs = await commandsOf(() => library.getAddress(pathText(account)))
    const ours = await commandsOf(() => readPublicKey(app, account))
    expect(ours).toEqual(theirs)
    const { publicKey } = await library.getAddress(pathText(account))
    const own = await readPublicKey(app, account)
    expect(encodeHex(own.bytes)).toBe(
      `${Number.parseInt(publicKey.slice(-1), 16) % 2 === 0 ? '02' : '03'}${publicKey.slice(2, 66)}`
    )
    expect(encodeHex(own.bytes)).toBe(encodeHex(device.publicKey(pathText(account))))
  })

  test.each([1, 125, 126, 150, 255, 256, 510, 5000])('sign %i bytes with the same commands and the same key', async (length) => {
    const message = utf8('dms:token:'.repeat(500).slice(0, length))
    let signature = new Uint8Array()
    let theirs = { v: 0, r: '', s: '' }
    const theirCommands = await commandsOf(async () => {
      theirs = await library.signPersonalMessage(pathText(0), encodeHex(message))
    })
    const ourCommands = await commandsOf(async () => {
      signature = Uint8Array.from(await signPersonalMessage(app, 0, message))
    })
    expect(ourCommands).toEqual(theirCommands)
    expect(ourCommands.every((command) => command.length <= 2 * (5 + 255))).toBe(true)
    expect(device.shown.slice(-2).map(encodeHex)).toEqual([encodeHex(message), encodeHex(message)])
    expect(verifyWithKey(await readPublicKey(app, 0), message, signature)).toBe(true)
    expect(encodeHex(signature)).toContain(theirs.r.replace(/^(00)+/, ''))
  })
})
