import { beforeEach, describe, expect, test } from 'vitest'
import { CancelledError, millis, seconds, systemRandom, TimeoutError, toNanos, utf8 } from '../base/index.ts'
import { NoSuchInboxError, UnreachableError } from '../network/index.ts'
import { createVirtualClock, type VirtualClock } from '../testing/index.ts'
import { createDelivery, type Deliver, type DeliverOptions } from './delivery.ts'
import type { Envelope } from './envelope.ts'
import { EMPTY_HANDLE } from './handle.ts'
import type { MessageTransport } from './transport.ts'

let clock: VirtualClock
let begin: number
/** When each attempt was made, in seconds. */
let attempts: number[]
let send: MessageTransport['send']
let deliver: Deliver

beforeEach(() => {
  clock = createVirtualClock()
  begin = clock.now()
  attempts = []
  const transport = {
    peerId: 'own',
    send: ((...given) => {
      attempts.push((clock.now() - begin) / 1000)
      return send(...given)
    }) satisfies MessageTransport['send']
  } as MessageTransport
  deliver = createDelivery({ transport, clock, random: systemRandom })
})

function post(life: number, options: DeliverOptions = {}, host = 'peer'): Promise<void> {
  const expiresAt = toNanos(millis(clock.now() + seconds(life)))
  const envelope = { to: { ...EMPTY_HANDLE, host, inbox: 'root' }, behavior: '/test/echo', expiresAt } as Envelope
  return clock.run(deliver(envelope, utf8('frame'), options))
}

const away = (): Promise<void> => Promise.reject(new UnreachableError('cannot reach peer'))

describe('a message to a peer that cannot be reached', () => {
  test('is tried again after growing pauses until it expires, and fails with the reason', async () => {
    send = away
    await expect(post(30)).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
    expect(attempts.length).toBeGreaterThan(6)
    expect(attempts.at(-1)).toBeLessThan(30)
    const pauses = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0))
    expect(Math.max(...pauses)).toBeLessThanOrEqual(6.25)
  })

  test('arrives when the peer comes back before', async () => {
    send = async () => {
      if (clock.now() - begin < 4000) throw new UnreachableError('not yet')
    }
    await post(30)
    expect(attempts.at(-1)).toBeGreaterThanOrEqual(4)
    expect(attempts.at(-1)).toBeLessThan(10)
  })

  test('is given up earlier where somebody waits who has less patience', async () => {
    send = away
    await expect(post(30, { patience: seconds(5) })).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
    expect(attempts.at(-1)).toBeLessThan(5)
  })

  test('is given up with its signal', async () => {
    send = away
    const abort = new AbortController()
    const posted = post(30, { signal: abort.signal })
    abort.abort()
    await expect(posted).rejects.toThrow(CancelledError)
  })
})

describe('a message whose sending hangs', () => {
  test('ends with its deadline', async () => {
    send = () => new Promise(() => undefined)
    await expect(post(10)).rejects.toThrow(TimeoutError)
    expect(attempts).toEqual([0])
  })
})

describe('a message that nobody will ever take', () => {
  test('is not tried again when there is no such inbox, and none to oneself is', async () => {
    send = () => Promise.reject(new NoSuchInboxError('nobody listens'))
    await expect(post(30)).rejects.toMatchObject({ code: 'NETWORK_NO_SUCH_INBOX' })
    send = away
    await expect(post(30, {}, 'own')).rejects.toMatchObject({ code: 'NETWORK_UNREACHABLE' })
    expect(attempts).toEqual([0, 0])
  })
})
