import { bytes, mebibytes } from '../base/index.ts'
import { DEFAULT_LIMITS, MAX_FRAME, type NetworkLimits } from './limits.ts'

/** What the operator gives the network part (`p2p.memory`, `p2p.fd`). */
export interface ResourceAllowance {
  readonly mebibytes: number
  readonly fileDescriptors: number
}

/** With so much memory all limits are those of the reference (B §5.1). */
const FULL_MEMORY = 1024

const LEAST_CONNECTIONS = 16
const LEAST_STREAMS = 512

/** File descriptors that are not for peers: listening sockets, dials under way, lookups. */
const OWN_DESCRIPTORS = 32

/** The limits that follow from what the operator gives; at least so much that a node can work at all. */
export function limitsFor({ mebibytes: memory, fileDescriptors }: ResourceAllowance): Partial<NetworkLimits> {
  const share = Math.min(1, memory / FULL_MEMORY)
  const scaled = (most: number, least: number): number => Math.max(least, Math.floor(most * share))
  const readBytes = Math.max(2 * MAX_FRAME, Math.floor(mebibytes(memory) / 16))
  const forPeers = Math.min(scaled(DEFAULT_LIMITS.connections, 0), fileDescriptors - OWN_DESCRIPTORS)
  const connections = Math.max(LEAST_CONNECTIONS, forPeers)
  return {
    connections,
    connectionsPerIp: Math.ceil((connections * DEFAULT_LIMITS.connectionsPerIp) / DEFAULT_LIMITS.connections),
    streams: scaled(DEFAULT_LIMITS.streams, LEAST_STREAMS),
    reads: scaled(DEFAULT_LIMITS.reads, DEFAULT_LIMITS.readsPerPeer),
    readBytes: bytes(readBytes),
    readBytesPerPeer: bytes(Math.min(DEFAULT_LIMITS.readBytesPerPeer, Math.max(MAX_FRAME, readBytes / 4)))
  }
}
