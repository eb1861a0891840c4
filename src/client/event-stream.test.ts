import { expect, test } from 'vitest'
import { utf8 } from '../base/index.ts'
import { parseEventStream, type ServerEvent } from './event-stream.ts'

async function parsed(...chunks: readonly Uint8Array[]): Promise<readonly ServerEvent[]> {
  const events: ServerEvent[] = []
  async function* source(): AsyncGenerator<Uint8Array> {
    yield* chunks
  }
  for await (const event of parseEventStream(source())) events.push(event)
  return events
}

const TEXT = 'id: a-1\nevent: peer\ndata: {"status":"ä"}\n\n: still here\n\nevent: live\ndata: {}\n\n'
const EVENTS = [
  { id: 'a-1', type: 'peer', data: { status: 'ä' } },
  { id: '', type: 'live', data: {} }
]

test.each([
  ['is not JSON', 'data: {"a"\n\n', 'is not JSON'],
  ['does not end', `data: ${'x'.repeat(300_000)}`, 'has more than']
])('an event that %s is refused', async (_flaw, text, reason) => {
  await expect(parsed(utf8(text))).rejects.toThrow(reason)
})

test('events are the same however the text is cut', async () => {
  const whole = utf8(TEXT)
  expect(await parsed(whole)).toEqual(EVENTS)
  for (let at = 0; at < whole.length; at += 1) expect(await parsed(whole.slice(0, at), whole.slice(at))).toEqual(EVENTS)
  expect(await parsed(...[...whole].map((byte) => Uint8Array.of(byte)))).toEqual(EVENTS)
})

test('what did not end is no event', async () => {
  expect(await parsed(utf8('event: peer\ndata: {}\n'))).toEqual([])
})
