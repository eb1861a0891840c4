import { type AbortOptions, CancelledError, errorMessage } from '../base/index.ts'
import { BadWalletAnswerError, WalletBusyError, WalletGoneError, WalletNotFoundError } from './errors.ts'
import type { HidDevice } from './hid-transport.ts'
import { LEDGER_VENDOR } from './hidraw.ts'

/** The usage page of the interface that speaks APDUs. */
const APDU_USAGE_PAGE = 0xffa0

/** How long one read waits, in milliseconds, before the signal is looked at again. */
const READ_TIMEOUT = 100

/** What is used of node-hid, so that a test can stand in for the machine. */
export interface HidLibrary {
  devicesAsync(): Promise<readonly HidEntry[]>
  readonly HIDAsync: { open(path: string): Promise<HidHandle> }
}

/** A device as the library lists it. */
export interface HidEntry {
  readonly vendorId: number
  readonly path?: string | undefined
  readonly usagePage?: number | undefined
  readonly interface: number
}

/** A device that the library has opened. */
export interface HidHandle {
  read(timeout: number): Promise<Uint8Array | undefined>
  write(data: number[]): Promise<number>
  close(): Promise<void>
}

/**
 * Loads node-hid, which nothing else needs: it is used where there is no {@link findHidraw}, on macOS and Windows.
 *
 * @throws WalletNotFoundError when its native module does not load here.
 */
export async function loadHidLibrary(): Promise<HidLibrary> {
  try {
    const { default: library } = await import('node-hid')
    return library
  } catch (error) {
    throw new WalletNotFoundError(`USB devices cannot be reached here: ${errorMessage(error)}`, { cause: error })
  }
}

/** Opens the first Ledger that the library lists; nothing when there is none. */
export async function openHidDevice(library: HidLibrary): Promise<HidDevice | undefined> {
  const path = (await listed(library)).find(isLedger)?.path
  if (path === undefined) return undefined
  const handle = await openHandle(library, path)
  return {
    async write(packet) {
      await orGone(handle.write([0, ...packet])) // the number of the report first
    },
    async read({ signal }: AbortOptions = {}) {
      for (;;) {
        if (signal?.aborted === true) throw new CancelledError('the question to the Ledger was cancelled')
        const packet = await orGone(handle.read(READ_TIMEOUT))
        if (packet !== undefined && packet.length > 0) return packet
      }
    },
    close: () => handle.close()
  }
}

async function listed(library: HidLibrary): Promise<readonly HidEntry[]> {
  try {
    return await library.devicesAsync()
  } catch (error) {
    throw new BadWalletAnswerError(`USB devices cannot be listed: ${errorMessage(error)}`, { cause: error })
  }
}

function isLedger(entry: HidEntry): boolean {
  return entry.vendorId === LEDGER_VENDOR && (entry.usagePage === APDU_USAGE_PAGE || entry.interface === 0)
}

async function openHandle(library: HidLibrary, path: string): Promise<HidHandle> {
  try {
    return await library.HIDAsync.open(path)
  } catch (error) {
    throw new WalletBusyError(`the Ledger cannot be opened: close the other programs that use it (${errorMessage(error)})`, {
      cause: error
    })
  }
}

async function orGone<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new WalletGoneError('the Ledger was unplugged or restarted: connect it, open its Ethereum app and try again', {
      cause: error
    })
  }
}
