import type { Stream } from '@libp2p/interface'
import { expect, test } from 'vitest'
import { createMessageStream } from './messages.ts'

interface FakeStream {
  readonly stream: Stream
  readonly sent: Uint8Array[]
  readonly aborted: () => Error | undefined
  arrive(...bytes: readonly number[]): void
  end(): void
}

function createStream(): FakeStream {
  const target = new EventTarget()
  const sent: Uint8Array[] = []
  let reason: Error | undefined
  const parts = {
    readBufferLength: 0,
    send: (bytes: Uint8Array) => sent.push(bytes),
    abort: (error: Error) => {
      reason = error
    }
  }
  return {
    stream: Object.assign(target, parts) as unknown as Stream,
    sent,
    aborted: () => reason,
    arrive: (...bytes) => target.dispatchEvent(Object.assign(new Event('message'), { data: Uint8Array.from(bytes) })),
    end: () => target.dispatchEvent(new Event('remoteCloseWrite'))
  }
}

const forever = (): AbortSignal => new AbortController().signal

test('messages are put together from pieces, and what comes after one is kept for the next', async () => {
  const { stream, arrive } = createStream()
  const messages = createMessageStream(stream, 100)
  const first = messages.receive(forever())
  for (const byte of [3, 1, 2]) arrive(byte)
  arrive(3, 2, 7, 8, 0)
  expect([...(await first)]).toEqual([1, 2, 3])
  expect([...(await messages.receive(forever()))]).toEqual([7, 8])
  expect([...(await messages.receive(forever()))]).toEqual([])
})

test('lengths over a byte are written and read', async () => {
  const { stream, sent, arrive } = createStream()
  const messages = createMessageStream(stream, 1000)
  messages.send(new Uint8Array(300))
  expect([...(sent[0] ?? []).slice(0, 3)]).toEqual([0xac, 0x02, 0])
  arrive(...(sent[0] ?? []))
  expect(await messages.receive(forever())).toHaveLength(300)
})

test.each([
  ['too long', [0x65], 'announces 101 bytes, at most 100'],
  ['of a malformed length', [0xff, 0xff, 0xff, 0xff], 'malformed']
])('a message %s is refused before it is there', async (_case, bytes, reason) => {
  const { stream, arrive } = createStream()
  const messages = createMessageStream(stream, 100)
  arrive(...bytes)
  await expect(messages.receive(forever())).rejects.toThrow(reason)
})

test('more than is read at once resets the stream', () => {
  const { stream, arrive, aborted } = createStream()
  createMessageStream(stream, 100)
  arrive(...new Array<number>(300).fill(0))
  expect(aborted()).toBeInstanceOf(RangeError)
})

test('the end of the stream and of the patience end the wait', async () => {
  const [ended, silent] = [createStream(), createStream()]
  const waiting = createMessageStream(ended.stream, 100).receive(forever())
  ended.end()
  await expect(waiting).rejects.toThrow('the other side closed the stream')
  const patience = new AbortController()
  const hoping = createMessageStream(silent.stream, 100).receive(patience.signal)
  patience.abort()
  await expect(hoping).rejects.toThrow('no answer in time')
})
