import { millis, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts'
import { generateKeyPair } from '../../src/identity/index.ts'
import { createNetworkHost, type NetworkHost, type NetworkHostOptions } from '../../src/network/index.ts'

const POLL = millis(5)

/** A libp2p host on a free loopback port, with a fresh key unless one is given; not started. */
export function createLoopbackHost(options: Partial<NetworkHostOptions> = {}): NetworkHost {
  return createNetworkHost({
    privateKey: generateKeyPair().exportPrivate(),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [],
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    ...options
  })
}

/** The first address of a started host. */
export function addressOf(host: NetworkHost): string {
  const [address] = host.addresses()
  if (address === undefined) throw new Error('the host has no address: is it started?')
  return address
}

/** Waits until something is so that no promise announces; fails after 10 s. */
export async function eventually(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${condition.toString()}`)
    await systemClock.sleep(POLL)
  }
}
