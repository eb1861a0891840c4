import { randomBytes } from 'node:crypto'
import type { Connection, Stream } from '@libp2p/interface'
import { DEFAULT_LIMITS } from '../../src/network/index.ts'
import type { Dms } from './dms.ts'

const PROTOCOL = '/bench/echo/1.0.0'
const MESSAGE = randomBytes(300)

/** Two libp2p nodes, built as the DMS builds its own, without anything of the DMS on top. */
export interface RawPair {
  /** 300 bytes there and back on a new stream. */
  onNewStream(): Promise<void>
  /** 300 bytes there and back on one stream that is kept. */
  onKeptStream(): Promise<void>
  stop(): Promise<void>
}

/** Starts a {@link RawPair} on loopback that listens on `listen`, over QUIC when its transport is given. */
export async function startRawPair(
  { libp2pNode, identity }: Dms,
  listen: string,
  quic?: NonNullable<Parameters<Dms['libp2pNode']['createNode']>[0]['quic']>
): Promise<RawPair> {
  const { privateKeyFromProtobuf } = await import('@libp2p/crypto/keys')
  const createNode = (addresses: readonly string[]) =>
    libp2pNode.createNode({
      privateKey: privateKeyFromProtobuf(identity.generateKeyPair().exportPrivate()),
      listen: addresses,
      quic,
      limits: DEFAULT_LIMITS,
      peerScore: () => 0
    })
  const [near, far] = await Promise.all([createNode([]), createNode([listen])])
  await Promise.all([near.start(), far.start()])
  const unlimited = { maxInboundStreams: 10_000, maxOutboundStreams: 10_000 }
  await far.handle(PROTOCOL, echo, unlimited)
  const connection = await near.dial(far.getMultiaddrs())
  const kept = await connection.newStream(PROTOCOL)
  return {
    onNewStream: () => askOnce(connection),
    onKeptStream: () => ask(kept),
    async stop() {
      await Promise.all([near.stop(), far.stop()])
    }
  }
}

function echo(stream: Stream): void {
  stream.addEventListener('message', ({ data }) => void stream.send(data))
  stream.addEventListener('remoteCloseWrite', () => void stream.close())
}

async function askOnce(connection: Connection): Promise<void> {
  const stream = await connection.newStream(PROTOCOL, { maxOutboundStreams: 10_000 })
  const answered = ask(stream)
  await stream.close()
  await answered
}

/** Resolves once as many bytes as were sent came back. */
function ask(stream: Stream): Promise<void> {
  return new Promise((resolve) => {
    let missing = MESSAGE.length
    const count = ({ data }: { readonly data: { readonly byteLength: number } }): void => {
      missing -= data.byteLength
      if (missing > 0) return
      stream.removeEventListener('message', count)
      resolve()
    }
    stream.addEventListener('message', count)
    stream.send(MESSAGE)
  })
}
