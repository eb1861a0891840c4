import { constants } from 'node:fs'
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AbortOptions, CancelledError, type Clock, hasErrno, millis } from '../base/index.ts'
import { WalletBusyError, WalletForbiddenError, WalletGoneError } from './errors.ts'
import { PACKET_LENGTH } from './hid-framing.ts'
import type { HidDevice } from './hid-transport.ts'

/** Ledger's number among the makers of USB devices. */
export const LEDGER_VENDOR = 0x2c97

/** How a report descriptor begins whose interface speaks APDUs: usage page 0xffa0. Ledgers have others, for FIDO and keyboards. */
const APDU_USAGE_PAGE = Buffer.from('06a0ff', 'hex')

/** How often a silent device is asked again: no wait that a person would notice. */
const POLL_INTERVAL = millis(10)

/** Where the kernel shows its HID devices. */
export interface HidrawPlaces {
  /** `/sys/class/hidraw` */
  readonly classes: string
  /** `/dev` */
  readonly devices: string
}

/** The places of a running system. */
export const HIDRAW_PLACES: HidrawPlaces = { classes: '/sys/class/hidraw', devices: '/dev' }

/**
 * The path of the first Ledger that Linux knows, such as `/dev/hidraw3`; nothing when there is none.
 *
 * The kernel's own interface is used and not a library, because the library's module does not load without libusb, which a plain
 * Debian lacks.
 */
export async function findHidraw({ classes, devices }: HidrawPlaces = HIDRAW_PLACES): Promise<string | undefined> {
  for (const name of (await namesIn(classes)).filter((entry) => /^hidraw\d+$/.test(entry)).sort()) {
    if (await isLedger(join(classes, name, 'device'))) return join(devices, name)
  }
  return undefined
}

/**
 * Opens such a path.
 *
 * @throws WalletForbiddenError naming the guide with the udev rule, WalletBusyError, WalletGoneError.
 */
export async function openHidraw(path: string, clock: Clock): Promise<HidDevice> {
  const file = await openFile(path)
  let isOpen = true
  return {
    async write(packet) {
      try {
        await file.write(Uint8Array.of(0, ...packet)) // the number of the report first
      } catch (error) {
        throw goneError(error)
      }
    },
    async read(options = {}) {
      for (;;) {
        const packet = await readPacket(file)
        if (packet !== undefined) return packet
        await pause(clock, options)
      }
    },
    async close() {
      if (!isOpen) return
      isOpen = false
      await file.close()
    }
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [] // no such device was ever plugged in
    throw error
  }
}

async function isLedger(directory: string): Promise<boolean> {
  try {
    const event = await readFile(join(directory, 'uevent'), 'latin1')
    const [, vendor = ''] = /^HID_ID=[0-9A-Fa-f]{4}:([0-9A-Fa-f]{8}):[0-9A-Fa-f]{8}$/m.exec(event) ?? []
    if (Number.parseInt(vendor, 16) !== LEDGER_VENDOR) return false
    const descriptor = await readFile(join(directory, 'report_descriptor'))
    return descriptor.subarray(0, APDU_USAGE_PAGE.length).equals(APDU_USAGE_PAGE)
  } catch {
    return false // it was unplugged while we looked, or is hidden from us
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // without O_NONBLOCK a read would hold its thread until the device says something, and no signal could end it
    return await open(path, constants.O_RDWR | constants.O_NONBLOCK)
  } catch (error) {
    if (hasErrno(error, 'EACCES') || hasErrno(error, 'EPERM')) {
      throw new WalletForbiddenError(
        `a Ledger is connected, but this user may not open ${path}: install the udev rule of docs/guides/wallets.md and plug it in again`,
        { cause: error }
      )
    }
    if (hasErrno(error, 'EBUSY'))
      throw new WalletBusyError('another program is using the Ledger: close it and try again', { cause: error })
    throw goneError(error)
  }
}

/** Nothing when there is none yet. */
async function readPacket(file: FileHandle): Promise<Uint8Array | undefined> {
  const buffer = new Uint8Array(PACKET_LENGTH)
  try {
    const { bytesRead } = await file.read(buffer, 0, PACKET_LENGTH, null)
    if (bytesRead > 0) return buffer.subarray(0, bytesRead)
  } catch (error) {
    if (hasErrno(error, 'EAGAIN')) return undefined
    throw goneError(error)
  }
  throw goneError(undefined)
}

async function pause(clock: Clock, { signal }: AbortOptions): Promise<void> {
  if (signal?.aborted === true) throw new CancelledError('the question to the Ledger was cancelled')
  await clock.sleep(POLL_INTERVAL, signal === undefined ? {} : { signal })
}

function goneError(cause: unknown): WalletGoneError {
  return new WalletGoneError('the Ledger was unplugged or restarted: connect it, open its Ethereum app and try again', { cause })
}
