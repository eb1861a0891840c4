import type { AbortOptions } from '../base/index.ts'
import type { ApduTransport } from './apdu.ts'
import { createReassembly, toPackets } from './hid-framing.ts'

/** A device of the class HID, opened. */
export interface HidDevice {
  /** Sends one report, without its number, which is 0. */
  write(packet: Uint8Array): Promise<void>
  /** Resolves with the next report; CancelledError when the signal is aborted. */
  read(options?: AbortOptions): Promise<Uint8Array>
  close(): Promise<void>
}

/** Speaks APDUs over a HID device, in Ledger's framing. */
export function createHidTransport(device: HidDevice): ApduTransport {
  return {
    async exchange(apdu, options) {
      for (const packet of toPackets(apdu)) await device.write(packet)
      const answer = createReassembly()
      for (;;) {
        const data = answer.add(await device.read(options))
        if (data !== undefined) return data
      }
    },
    close: () => device.close()
  }
}
