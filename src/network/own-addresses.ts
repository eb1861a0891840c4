import { networkInterfaces } from 'node:os'
import { type Clock, seconds } from '../base/index.ts'
import type { NodeInternals } from './internals.ts'

/** How often the addresses of this machine are looked at. */
const LOOK_EVERY = seconds(5)

/** Has what others are told of this node, and the record that they keep, follow the addresses of the listeners. */
export function refreshOwnAddresses({ events }: NodeInternals): void {
  events.dispatchEvent(new Event('transport:close'))
}

/** Calls back whenever this machine got or lost an address, until the signal is aborted. `addresses` is replaced in tests. */
export async function watchOwnAddresses(
  clock: Clock,
  changed: () => void,
  signal: AbortSignal,
  addresses: () => string = interfaceAddresses
): Promise<void> {
  let last = addresses()
  while (!signal.aborted) {
    await clock.sleep(LOOK_EVERY, { signal }).catch(() => undefined) // aborted: the loop ends
    const now = addresses()
    if (now !== last && !signal.aborted) changed()
    last = now
  }
}

function interfaceAddresses(): string {
  const found = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
  const outward = found.filter(({ internal, address }) => !internal && !address.startsWith('fe80'))
  return outward
    .map(({ address }) => address)
    .sort()
    .join(' ')
}
