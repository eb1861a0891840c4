import { once } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { createManualClock } from '../../test/support/gateway.ts'
import { millis } from '../base/index.ts'
import { createOpenRequests } from './open-requests.ts'

function response(): ServerResponse {
  return new ServerResponse(new IncomingMessage(new Socket()))
}

async function close(open: ServerResponse): Promise<void> {
  const closed = once(open, 'close')
  open.destroy()
  open.emit('close')
  await closed
}

test('a client that is gone already is noticed', async () => {
  const requests = createOpenRequests(createManualClock())
  const gone = response()
  Object.defineProperty(gone, 'closed', { value: true })
  expect(requests.open(gone).aborted).toBe(true)
  await requests.end(millis(100))
})

test('the end aborts every request and waits for the last answer', async () => {
  const requests = createOpenRequests(createManualClock())
  const [first, second] = [response(), response()]
  const signals = [requests.open(first), requests.open(second)]
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, false])
  let hasEnded = false
  const ended = requests.end(millis(100)).then(() => {
    hasEnded = true
  })
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  await close(first)
  expect(hasEnded).toBe(false)
  await close(second)
  await ended
  expect(requests.open(response()).aborted).toBe(true)
})

test('the end does not wait longer than it may', async () => {
  const clock = createManualClock()
  const requests = createOpenRequests(clock)
  requests.open(response())
  const ended = requests.end(millis(100))
  clock.advance(millis(100))
  await ended
  expect(requests.isEnding).toBe(true)
})
