import type { AbortOptions } from '../base/index.ts'
import type { ApduTransport } from './apdu.ts'
import { createEmulatorTransport, EMULATOR_VARIABLE } from './emulator.ts'
import { BadWalletSettingError, WalletForbiddenError, WalletNotFoundError } from './errors.ts'
import { type EthereumApp, pathText, readPublicKey, signPersonalMessage } from './ethereum-app.ts'
import { createHidTransport, type HidDevice } from './hid-transport.ts'
import { findHidraw, type HidrawPlaces, openHidraw } from './hidraw.ts'
import type { SignOptions, Wallet, WalletHost } from './host.ts'
import { LEDGER_PROGRAM, readProgramKey, signWithProgram } from './ledger-cli.ts'
import { type HidLibrary, loadHidLibrary, openHidDevice } from './node-hid.ts'
import { findProgram } from './program.ts'
import { wrongWallet } from './wrong-wallet.ts'

/** The variable that, set to `off`, leaves USB alone, so that `ledger-cli` is used while a device is plugged in. */
const USB_VARIABLE = 'DMS_LEDGER_USB'

/** Which account of a Ledger, and where to look for it. */
export interface LedgerOptions {
  readonly host: WalletHost
  readonly account: number
  /** Where Linux shows HID devices, for tests. */
  readonly places?: HidrawPlaces
  /** Stands in for node-hid, and makes it be used, for tests. */
  readonly library?: HidLibrary
}

/** One way to a Ledger. */
interface Route {
  publicKey(options: AbortOptions): Promise<Uint8Array>
  sign(message: Uint8Array, expected: Uint8Array, options: SignOptions): Promise<Uint8Array>
  close(): Promise<void>
}

/**
 * An account of a Ledger with its Ethereum app (A §5.1).
 *
 * Looked for at each call: the emulator that `DMS_LEDGER_SPECULOS` names, and nothing else if it is set; a device on USB, unless
 * `DMS_LEDGER_USB` is `off`; `ledger-cli` in `PATH`, also when there is a device that this user may not open.
 *
 * @throws WalletNotFoundError naming both ways; whatever the device or the program answers.
 */
export function createLedgerWallet(options: LedgerOptions): Wallet {
  const title = `account ${options.account} (${pathText(options.account)}) of the Ledger`

  async function onRoute<T>(work: (route: Route) => Promise<T>): Promise<T> {
    const route = await openRoute(options)
    try {
      return await work(route)
    } finally {
      await route.close()
    }
  }

  return {
    title,
    publicKey: (abort = {}) => onRoute((route) => route.publicKey(abort)),
    sign: (message, expected, abort = {}) => onRoute((route) => route.sign(message, expected, abort))
  }
}

async function openRoute(options: LedgerOptions): Promise<Route> {
  const { host, account } = options
  const device = await openDevice(options)
  if (device.transport !== undefined) return deviceRoute({ transport: device.transport, clock: host.clock }, account)
  const command = await findProgram(LEDGER_PROGRAM, host)
  if (command !== undefined) return programRoute(command, options)
  throw device.obstacle ?? noLedger()
}

function noLedger(): WalletNotFoundError {
  const way = 'there is none on USB (connect it, unlock it and open its Ethereum app)'
  return new WalletNotFoundError(`no Ledger: ${way}, and can't find ${LEDGER_PROGRAM} in PATH`)
}

/** A device, or what keeps us from it if there is something to say. */
interface DeviceSearch {
  readonly transport?: ApduTransport
  readonly obstacle?: Error
}

async function openDevice(options: LedgerOptions): Promise<DeviceSearch> {
  const emulator = options.host.environment[EMULATOR_VARIABLE] ?? ''
  if (emulator !== '') return { transport: createEmulatorTransport(emulator) }
  try {
    const device = await openUsb(options)
    return device === undefined ? {} : { transport: createHidTransport(device) }
  } catch (error) {
    if (error instanceof WalletForbiddenError || error instanceof WalletNotFoundError) return { obstacle: error }
    throw error
  }
}

async function openUsb({ host, places, library }: LedgerOptions): Promise<HidDevice | undefined> {
  const setting = host.environment[USB_VARIABLE] ?? ''
  if (setting === 'off')
    throw new WalletNotFoundError(`USB is switched off by ${USB_VARIABLE}, and can't find ${LEDGER_PROGRAM} in PATH`)
  if (setting !== '') throw new BadWalletSettingError(`${USB_VARIABLE} can only be set to off, not to ${setting}`)
  if (library === undefined && process.platform === 'linux') {
    const path = await findHidraw(places)
    return path === undefined ? undefined : await openHidraw(path, host.clock)
  }
  return await openHidDevice(library ?? (await loadHidLibrary()))
}

function deviceRoute(app: EthereumApp, account: number): Route {
  const publicKey: Route['publicKey'] = async (options) => (await readPublicKey(app, account, options)).bytes
  return {
    publicKey,
    async sign(message, expected, options) {
      // before its owner reads a text for nothing
      const found = await publicKey(options)
      if (!Buffer.from(found).equals(expected)) throw wrongWallet({ type: 'eth', found, expected })
      await options.onAsk?.()
      return await signPersonalMessage(app, account, message, options)
    },
    close: () => app.transport.close()
  }
}

/** The program may ask its owner at each call, so a wrong key is only looked for when the signature does not fit. */
function programRoute(command: string, { host, account }: LedgerOptions): Route {
  const program = { ...host, command, account }
  return {
    publicKey: (options) => readProgramKey(program, options),
    async sign(message, _expected, options) {
      await options.onAsk?.()
      return await signWithProgram(program, message, options)
    },
    close: async () => undefined
  }
}
