import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import type { Libp2pOptions } from 'libp2p'
import { mebibytes, seconds } from '../base/index.ts'

/** Makes a transport out of the parts of a node. */
export type TransportFactory = NonNullable<Libp2pOptions['transports']>[number]

const SOCKET = { keepAlive: true, keepAliveInitialDelay: seconds(30), noDelay: true }

/** Keeps connections alive that routers would forget, and sends small messages at once. */
export const TCP_OPTIONS = {
  dialOpts: SOCKET,
  listenOpts: SOCKET
}

/** Bytes waiting for one slow WebSocket before its writer has to wait. */
const WEBSOCKET_BUFFER = mebibytes(4)

/** The transports that a machine may lack. */
export interface OptionalTransports {
  readonly quic: TransportFactory | undefined
  /** TCP that dials from its listening port, in place of the plain one. */
  readonly sharingTcp: TransportFactory | undefined
}
/** Streams over one QUIC connection, and the memory that their unread bytes may take, each and together. */
const QUIC_STREAMS = 256
const QUIC_STREAM_WINDOW = mebibytes(2)
const QUIC_WINDOW = mebibytes(6)

/** The transports of a node (B §5.1): TCP, WebSocket and relays always, QUIC v1 when it is given. */
export async function createTransports({ quic, sharingTcp }: OptionalTransports): Promise<TransportFactory[]> {
  await provideWebSocket()
  return [
    sharingTcp ?? tcp(TCP_OPTIONS),
    ...(quic === undefined ? [] : [quic]),
    webSockets({ maxBufferedAmount: WEBSOCKET_BUFFER }),
    circuitRelayTransport()
  ]
}

/**
 * The QUIC transport; its native part is not made for every machine.
 *
 * @throws Error saying why it cannot be loaded.
 */
export async function loadQuic(): Promise<TransportFactory> {
  const { quic } = await import('@chainsafe/libp2p-quic').catch((cause: unknown) => {
    throw new Error(`there is no QUIC library for ${process.platform} on ${process.arch}`, { cause })
  })
  return quic({
    maxConcurrentStreamLimit: QUIC_STREAMS,
    maxStreamData: QUIC_STREAM_WINDOW,
    maxConnectionData: QUIC_WINDOW,
    handshakeTimeout: seconds(10),
    maxIdleTimeout: seconds(30)
  })
}

/** Node 20 has no WebSocket client, with which the library dials. */
async function provideWebSocket(): Promise<void> {
  if ('WebSocket' in globalThis) return
  const { WebSocket } = await import('ws')
  Object.defineProperty(globalThis, 'WebSocket', { value: WebSocket, configurable: true, writable: true })
}
