import type { Connection, DialTransportOptions, Transport, Upgrader } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { untilDone } from './dial-signal.ts'

/** The parts of a libp2p node that it shows to its services only. */
export interface NodeInternals {
  readonly addressManager: {
    /** Makes an address one that this node tells others. */
    confirmObservedAddr(address: Multiaddr, options?: { readonly type?: AddressOrigin; readonly ttl?: number }): void
    /** Takes such an address back. */
    removeObservedAddr(address: Multiaddr): void
    /** Has AutoNAT ask others whether they reach this node there. */
    addObservedAddr(address: Multiaddr): void
  }
  readonly transportManager: {
    /** Addresses of the listeners, those that only the own site can dial among them. */
    getAddrs(): Multiaddr[]
    getTransports(): Transport[]
    /** Opens a connection past the queue of dials, in which all dials of one peer become a single one. */
    dial(address: Multiaddr, options: Omit<DialTransportOptions, 'upgrader'>): Promise<Connection>
  }
  readonly upgrader: Upgrader
  readonly events: { dispatchEvent(event: Event): boolean }
}

/** Who says that an address is one of this node. */
export type AddressOrigin = 'transport' | 'observed'

/** Has the connections that are dialled by means of these parts outlive the signals of their dials. */
export function createInternals(parts: NodeInternals): NodeInternals {
  const { transportManager } = parts
  return {
    ...parts,
    transportManager: {
      getAddrs: () => transportManager.getAddrs(),
      getTransports: () => transportManager.getTransports(),
      dial: (address, options) => untilDone(options.signal, (signal) => transportManager.dial(address, { ...options, signal }))
    }
  }
}
