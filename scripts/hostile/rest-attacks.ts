import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { type Attack, again, type Battlefield, pause } from './attack.ts'
import { sealedFrame } from './envelopes.ts'
import { mutate, nested, nestedChain, nulls } from './frames.ts'
import type { Target } from './target.ts'

const INVOKE = '/api/v1/actor/invoke'
const MEBIBYTE = 1_048_576

/** Everything that is done over the REST interface, as a local program without rights could. */
export const REST_ATTACKS: readonly Attack[] = [
  {
    name: 'REST: headers of one byte a second',
    run: async ({ target, signal, count }: Battlefield): Promise<void> => {
      const text = `POST ${INVOKE} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ${'a'.repeat(2000)}`
      await Promise.all(Array.from({ length: 50 }, () => again(signal, () => drip(target, text, signal, count))))
    }
  },
  {
    name: 'REST: bodies of one byte a second',
    run: async ({ target, signal, count }: Battlefield): Promise<void> => {
      const text = `POST ${INVOKE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2000\r\n\r\n`
      await Promise.all(
        Array.from({ length: 50 }, () => again(signal, () => drip(target, 'x'.repeat(2000), signal, count, text)))
      )
    }
  },
  {
    name: 'REST: bodies that never end',
    run: ({ target, signal, count }) => again(signal, () => endless(target, signal, count), 10)
  },
  {
    name: 'REST: too large, malformed, recursive, null-filled and mutated envelopes',
    run: ({ target, handle, member, signal, count }) =>
      again(signal, async () => {
        const sealed = await sealedFrame(member, { to: handle, behavior: '/public/hello', asks: true })
        const bodies = [
          Buffer.alloc(2 * MEBIBYTE, 'x'),
          randomBytes(1000),
          nested(100_000),
          nestedChain(sealed, 2000),
          mutate(sealed),
          ...nulls(sealed)
        ]
        for (const body of bodies) {
          await post(target, body, signal)
          count()
        }
      })
  },
  {
    name: 'REST: invocations that nobody will answer, in inboxes of all kinds',
    run: ({ target, handle, member, signal, count }) =>
      again(
        signal,
        async (round) => {
          const sealed = (await sealedFrame(member, { to: handle, behavior: '/public/nothing', asks: true })).toString()
          const inbox = ['root', 'user-1', `user-${round}`, '../x', 'user-\\u0000'][round % 5] ?? 'root'
          void post(target, Buffer.from(sealed.replace('"inbox":"root"', `"inbox":"${inbox}"`)), signal).catch(() => undefined)
          count()
        },
        10
      )
  },
  {
    name: 'REST: connections that say nothing',
    run: async ({ target, signal, count }: Battlefield): Promise<void> => {
      await Promise.all(
        Array.from({ length: 300 }, () =>
          again(
            signal,
            async () => {
              count()
              await closed(open(target, signal))
            },
            500
          )
        )
      )
    }
  }
]

function open({ restPort }: Target, signal: AbortSignal): Socket {
  const socket = connect(restPort, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.resume()
  const end = (): void => void socket.destroy()
  signal.addEventListener('abort', end, { once: true })
  socket.once('close', () => signal.removeEventListener('abort', end))
  return socket
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve()
    else socket.once('close', () => resolve())
  })
}

async function drip(target: Target, text: string, signal: AbortSignal, count: () => void, start = ''): Promise<void> {
  const socket = open(target, signal)
  if (start !== '') socket.write(start)
  for (const letter of text) {
    if (socket.destroyed || signal.aborted) break
    socket.write(letter)
    count()
    await pause(1000, signal)
  }
  socket.destroy()
}

async function endless(target: Target, signal: AbortSignal, count: () => void): Promise<void> {
  const socket = open(target, signal)
  socket.write(`POST ${INVOKE} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n`)
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536, 'x'), Buffer.from('\r\n')])
  while (!socket.destroyed && !signal.aborted) {
    if (!socket.write(chunk)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed(socket)])
    count()
  }
}

async function post({ restPort }: Target, body: Buffer, signal: AbortSignal): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${restPort}${INVOKE}`, { method: 'POST', body: new Uint8Array(body), signal })
  await answer.arrayBuffer()
}
