import { randomBytes, randomInt } from 'node:crypto'
import { connect } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { type Attack, again, type Battlefield, framed, pause, ROOT, sendFrame, write } from './attack.ts'
import { sealedFrame } from './envelopes.ts'
import { mutate, nested, nestedChain, nulls } from './frames.ts'
import { createHostilePeer, type HostilePeer } from './peer.ts'

const MEBIBYTE = 1_048_576
const HELLO = '/public/hello'

/** Protocols that a stranger can open besides the messages of actors. */
const OTHER_PROTOCOLS = ['/ipfs/id/push/1.0.0', '/nunet/kad/1.0.0', '/kad/1.0.0', '/ipfs/ping/1.0.0', '/meshsub/1.1.0']

/** Everything that is done over libp2p. */
export const LIBP2P_ATTACKS: readonly Attack[] = [
  {
    name: 'mutated envelopes',
    run: ({ one, handle, member, signal, count }) =>
      again(signal, async () => {
        await sendFrame(one, framed(mutate(await sealedFrame(member, { to: handle, behavior: HELLO, asks: true }))), signal)
        count()
      })
  },
  {
    name: 'truncated frames',
    run: ({ one, signal, count }) =>
      again(signal, async () => {
        await sendFrame(one, framed(randomBytes(100), BigInt(randomInt(101, MEBIBYTE))), signal)
        count()
      })
  },
  {
    name: 'oversized frames',
    run: ({ one, signal, count }) =>
      again(signal, async (round) => {
        const lengths = [2n ** 63n, 2n ** 40n, BigInt(MEBIBYTE + 1)]
        count()
        await sendFrame(one, framed(Buffer.alloc(4 * MEBIBYTE, 'a'), lengths[round % lengths.length]), signal)
      })
  },
  {
    name: 'a mebibyte of nothing in each frame',
    run: ({ hundred, signal, count }) =>
      again(signal, async (round) => {
        await sendFrame(at(hundred, round), framed(Buffer.alloc(MEBIBYTE - 8, ' ')), signal)
        count()
      })
  },
  {
    name: 'one message of a member, again and again',
    run: async ({ memberPeer, handle, member, signal, count }: Battlefield): Promise<void> => {
      const frame = framed(await sealedFrame(member, { to: handle, behavior: HELLO }))
      await again(signal, async () => {
        await sendFrame(memberPeer, frame, signal)
        count()
      })
    }
  },
  {
    name: 'recursive JSON and chains',
    run: ({ one, handle, member, signal, count }) =>
      again(signal, async (round) => {
        const sealed = await sealedFrame(member, { to: handle, behavior: HELLO })
        const body = round % 2 === 0 ? nested(randomInt(10, 500_000)) : nestedChain(sealed, randomInt(10, 5000))
        await sendFrame(one, framed(body), signal)
        count()
      })
  },
  {
    name: 'null everywhere',
    run: ({ one, handle, member, signal, count }) =>
      again(signal, async () => {
        for (const body of nulls(await sealedFrame(member, { to: handle, behavior: HELLO }))) {
          await sendFrame(one, framed(body), signal)
          count()
        }
      })
  },
  {
    name: 'one byte a second on 200 streams',
    run: async ({ hundred, signal, count }: Battlefield): Promise<void> => {
      await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          again(signal, async () => {
            const stream = await at(hundred, index).open(ROOT, signal)
            for (const byte of framed(randomBytes(10_000))) {
              await write(stream, Buffer.from([byte]), signal)
              count()
              await pause(1000, signal)
              if (signal.aborted) return stream.abort(new Error('over'))
            }
          })
        )
      )
    }
  },
  {
    name: 'signed messages of one stranger, as many as possible',
    run: ({ one, signal, count, handle }) => flood(one, handle, signal, count, 16)
  },
  {
    name: 'signed messages of a hundred strangers, as many as possible',
    run: async ({ hundred, signal, count, handle }: Battlefield): Promise<void> => {
      await Promise.all(hundred.map((peer) => flood(peer, handle, signal, count, 1)))
    }
  },
  {
    name: 'allowed messages of a member, as many as possible, whose replies nobody takes',
    run: async ({ memberPeer, member, handle, signal, count }: Battlefield): Promise<void> => {
      await Promise.all(
        Array.from({ length: 16 }, () =>
          again(signal, async () => {
            await sendFrame(memberPeer, framed(await sealedFrame(member, { to: handle, behavior: HELLO, asks: true })), signal)
            count()
          })
        )
      )
    }
  },
  {
    name: 'half-open streams',
    run: ({ one, signal, count }) =>
      again(signal, async (round) => {
        const stream = await one.open(ROOT, signal)
        if (round % 2 === 0) stream.send(Buffer.from([1, 2, 3]))
        count()
        await pause(5, signal)
      })
  },
  {
    name: '10,000 streams at once',
    run: ({ hundred, signal, count }) =>
      again(signal, async () => {
        const opened = await Promise.allSettled(
          Array.from({ length: 10_000 }, (_, index) =>
            at(hundred, index).open(ROOT, AbortSignal.any([signal, AbortSignal.timeout(20_000)]))
          )
        )
        const streams = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
        count(streams.length)
        await pause(2000, signal)
        for (const stream of streams) stream.abort(new Error('enough'))
      })
  },
  {
    name: 'frames that never end',
    run: ({ one, signal, count }) =>
      again(signal, async () => {
        const stream = await one.open(ROOT, signal)
        await write(stream, framed(Buffer.alloc(0), BigInt(MEBIBYTE - 8)), signal)
        const chunk = Buffer.alloc(65_536, 'x')
        for (;;) {
          await write(stream, chunk, signal)
          count()
        }
      })
  },
  {
    name: 'connections that come and go',
    run: ({ target, signal, count }) =>
      again(
        signal,
        async () => {
          const peer = await createHostilePeer(target)
          try {
            await peer.connection(signal)
            count()
          } finally {
            await peer.stop()
          }
        },
        50
      )
  },
  {
    name: 'TCP connections without a handshake',
    run: ({ target, signal, count }) =>
      again(signal, (round) => speakGarbage(target.address, round, signal).then(() => count()), 20)
  },
  {
    name: 'garbage on other protocols',
    run: ({ one, signal, count }) =>
      again(signal, async (round) => {
        const stream = await one.open(OTHER_PROTOCOLS[round % OTHER_PROTOCOLS.length] ?? ROOT, signal)
        await write(stream, randomBytes(randomInt(1, 100_000)), signal)
        await stream.close({ signal: AbortSignal.timeout(2000) }).catch((error: Error) => stream.abort(error))
        count()
      })
  },
  {
    name: 'broadcasts of strangers, well formed and not',
    run: async ({ hundred, handle, signal, count }: Battlefield): Promise<void> => {
      await again(
        signal,
        async (round) => {
          const peer = at(hundred, round)
          await peer.connection(signal)
          const topic = '/nunet/hello'
          const body =
            round % 2 === 0
              ? randomBytes(1000)
              : await sealedFrame(peer.speaker, { to: handle, behavior: '/broadcast/hello', topic })
          await peer.node.services.pubsub.publish(topic, body)
          count()
        },
        5
      )
    }
  }
]

function at(peers: readonly HostilePeer[], index: number): HostilePeer {
  const peer = peers[index % peers.length]
  if (peer === undefined) throw new Error('there are no hostile peers')
  return peer
}

async function flood(
  peer: HostilePeer,
  to: Battlefield['handle'],
  signal: AbortSignal,
  count: () => void,
  lanes: number
): Promise<void> {
  await Promise.all(
    Array.from({ length: lanes }, () =>
      again(signal, async () => {
        await sendFrame(peer, framed(await sealedFrame(peer.speaker, { to, behavior: HELLO, asks: true })), signal)
        count()
      })
    )
  )
}

function speakGarbage(address: string, round: number, signal: AbortSignal): Promise<void> {
  const { host, port } = hostAndPort(address)
  return new Promise((resolve) => {
    const socket = connect(port, host, () => {
      if (round % 3 === 0) socket.write(randomBytes(1000))
    })
    socket.on('error', () => resolve())
    socket.on('close', () => resolve())
    socket.resume()
    const end = setTimeout(() => socket.destroy(), round % 2 === 0 ? 100 : 3000)
    socket.on('close', () => clearTimeout(end))
    signal.addEventListener('abort', () => socket.destroy(), { once: true })
  })
}

function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const [host, port] = multiaddr(address).getComponents()
  return { host: host?.value ?? '127.0.0.1', port: Number(port?.value) }
}
