import { beforeEach, describe, expect, test } from 'vitest'
import { millis, ok, seconds, silentLogger, toNanos, utf8 } from '../base/index.ts'
import { createVirtualClock, type VirtualClock } from '../testing/index.ts'
import { type Behavior, SILENCE, type VerifiedEnvelope } from './behavior.ts'
import type { Envelope } from './envelope.ts'
import { EMPTY_HANDLE } from './handle.ts'
import { createRunner, type Runner } from './runner.ts'

const echo: Behavior<unknown, unknown> = {
  name: '/test/echo',
  request: { decode: (wire) => ok(wire), encode: (value) => value },
  reply: { decode: (wire) => ok(wire), encode: (value) => value }
}

let clock: VirtualClock
let lifetime: AbortController
let runner: Runner

function run(payload = '"hi"', behavior = echo.name): Promise<unknown> {
  const expiresAt = millis(clock.now() + seconds(5))
  const envelope: Envelope = {
    to: EMPTY_HANDLE,
    behavior,
    from: EMPTY_HANDLE,
    nonce: 1n,
    expiresAt: toNanos(expiresAt),
    replyTo: '',
    topic: '',
    payload: utf8(payload),
    capabilities: new Uint8Array(),
    signature: new Uint8Array()
  }
  return runner.run(envelope, { behavior, expiresAt, isBroadcast: false } as VerifiedEnvelope)
}

beforeEach(() => {
  clock = createVirtualClock()
  lifetime = new AbortController()
  runner = createRunner({ clock, log: silentLogger, overtime: seconds(1), lifetime: lifetime.signal })
})

describe('a handler', () => {
  test('fails its own message when it throws at once', async () => {
    runner.on(echo, () => {
      throw new TypeError('at once')
    })
    await expect(run()).rejects.toThrow('at once')
  })

  test('fails its own message when it rejects later', async () => {
    runner.on(echo, async () => {
      await clock.sleep(seconds(1))
      throw new TypeError('later')
    })
    await expect(clock.run(run())).rejects.toThrow('later')
  })

  test('is told when its message expires', async () => {
    let isAborted = false
    runner.on(echo, async (_request, _envelope, { signal }) => {
      await clock.sleep(seconds(60), { signal }).catch(() => undefined)
      isAborted = signal.aborted
      return SILENCE
    })
    expect(await clock.run(run())).toBe(SILENCE)
    expect(isAborted).toBe(true)
  })

  test('that looks for its time only after its message has expired finds it over', async () => {
    let isAborted: boolean | undefined
    runner.on(echo, async (_request, _envelope, time) => {
      await clock.sleep(millis(5500))
      isAborted = time.signal.aborted
      return SILENCE
    })
    expect(await clock.run(run())).toBe(SILENCE)
    expect(isAborted).toBe(true)
  })

  test('that has ended finds its time over too, whatever it left behind', async () => {
    let look = (): boolean => false
    runner.on(echo, async (_request, _envelope, time) => {
      look = () => time.signal.aborted
      return SILENCE
    })
    await run()
    expect(look()).toBe(true)
  })

  test('that never ends loses its place a second after its message has expired, and may still fail then', async () => {
    const before = clock.now()
    let fail = (_error: Error): void => undefined
    runner.on(echo, () => new Promise((_resolve, reject) => (fail = reject)))
    await expect(clock.run(run())).rejects.toMatchObject({ code: 'ACTOR_OVERDUE', kind: 'timeout' })
    expect(clock.now() - before).toBe(6000)
    fail(new Error('nobody listens any more'))
    await new Promise((resolve) => setImmediate(resolve))
  })

  test('is aborted with its actor', async () => {
    runner.on(echo, async (_request, _envelope, { signal }) => {
      await clock.sleep(seconds(60), { signal })
      return null
    })
    const running = run()
    lifetime.abort()
    await expect(running).rejects.toMatchObject({ code: 'BASE_CANCELLED' })
  })
})

describe('a message', () => {
  test('for a behaviour that does not exist, or with a payload that is no JSON, is refused', async () => {
    await expect(run('1', '/test/none')).rejects.toMatchObject({ code: 'ACTOR_UNKNOWN_BEHAVIOR' })
    runner.on(echo, async (request) => request)
    await expect(run('{')).rejects.toMatchObject({ code: 'ACTOR_BAD_PAYLOAD' })
    expect(await run('"hi"')).toBe('hi')
  })
})
