import { expect, test } from 'vitest'
import { createManualClock } from '../../test/support/gateway.ts'
import { seconds } from '../base/index.ts'
import { type EventReader, openEventStream } from './event-stream.ts'

/** A source that is told what to say. */
function opened({ signal = new AbortController().signal } = {}) {
  const clock = createManualClock()
  const state: { reader?: EventReader; closed: number } = { closed: 0 }
  const stream = openEventStream({
    source: {
      behavior: '/test/events',
      open(_reply, _after, reader) {
        state.reader = reader
        return () => {
          state.closed += 1
        }
      }
    },
    reply: null,
    after: undefined,
    clock,
    signal
  })
  const say = (text: string): boolean | undefined => state.reader?.take({ id: 'a-1', type: 'test', data: text })
  return { stream, state, say, clock }
}

test('a reader that does not read is let go before much waits for it', async () => {
  const { stream, state, say } = opened()
  const failed = new Promise((resolve) => stream.once('error', resolve))
  const text = 'x'.repeat(1000)
  let count = 0
  while (say(text) === true) count += 1
  expect(count).toBeLessThan(300)
  await expect(failed).resolves.toMatchObject({ code: 'API_BUSY', message: 'the reader of the events is too slow' })
  expect(state.closed).toBe(1)
  expect(say('more')).toBe(false)
})

test('a text cannot break out of its line', async () => {
  const { stream, state, say } = opened()
  say('one\n\nevent: forged\rdata: {}')
  state.reader?.end()
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  expect(text).toBe('id: a-1\nevent: test\ndata: "one\\n\\nevent: forged\\rdata: {}"\n\n')
})

test('the source is closed when the client goes away, also before it was opened', () => {
  const gone = new AbortController()
  const { state } = opened({ signal: gone.signal })
  gone.abort()
  expect(state.closed).toBeGreaterThan(0)
  expect(opened({ signal: AbortSignal.abort() }).state.closed).toBeGreaterThan(0)
})

test('a silent stream says every 15 s that it is there, until it ends', async () => {
  const { stream, clock } = opened()
  const chunks: string[] = []
  stream.on('data', (chunk: string) => chunks.push(chunk))
  clock.advance(seconds(15))
  await new Promise((resolve) => setImmediate(resolve))
  expect(chunks).toEqual([': still here\n\n'])
  expect(clock.waiting()).toEqual([seconds(15)])
  stream.destroy()
  await new Promise((resolve) => stream.once('close', resolve))
  expect(clock.waiting()).toEqual([])
})
