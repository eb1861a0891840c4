import { expect, test } from 'vitest'
import { CancelledError, type Clock, type Millis, millis, seconds, silentLogger } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { parsePeerAddress } from './addresses.ts'
import { stayConnected } from './bootstrap.ts'
import { UnreachableError } from './errors.ts'

/** Does not wait at all, remembers what it was asked to wait, and calls `onSleep` each time. */
function recordingClock(onSleep: (slept: readonly Millis[]) => void): Clock {
  const slept: Millis[] = []
  return {
    now: () => millis(0),
    sleep: async (duration) => {
      slept.push(duration)
      onSleep(slept)
    }
  }
}

function somePeer() {
  return parsePeerAddress(`/ip4/127.0.0.1/tcp/9000/p2p/${generateKeyPair().peerId}`)
}

const unreachable = async (): Promise<never> => {
  throw new UnreachableError('nobody there')
}

test('unreachable bootstrap peers are dialled again after pauses that grow to two minutes, until the stop', async () => {
  const stopping = new AbortController()
  let pauses: readonly Millis[] = []
  let dials = 0
  await stayConnected(
    {
      addresses: [somePeer(), somePeer()],
      reach: {
        connection: unreachable,
        dial: async () => {
          dials += 1
          return unreachable()
        }
      },
      isConnected: () => false,
      nextDisconnect: unreachable,
      pause: seconds(1),
      clock: recordingClock((slept) => {
        pauses = slept
        if (slept.length === 9) stopping.abort()
      }),
      log: silentLogger
    },
    stopping.signal
  )
  expect(pauses).toEqual([1, 2, 4, 8, 16, 20, 20, 20, 20].map(seconds))
  expect(dials).toBe(18)
})

test('a connected bootstrap peer ends the dialling until it is gone', async () => {
  const stopping = new AbortController()
  const peer = somePeer()
  let isConnected = true
  let disconnects = 0
  let dials = 0
  await stayConnected(
    {
      addresses: [peer],
      reach: {
        connection: unreachable,
        dial: async () => {
          dials += 1
          stopping.abort()
          throw new CancelledError('the test is over')
        }
      },
      isConnected: () => isConnected,
      nextDisconnect: async () => {
        disconnects += 1
        if (disconnects === 3) isConnected = false
      },
      pause: seconds(1),
      clock: recordingClock(() => undefined),
      log: silentLogger
    },
    stopping.signal
  )
  expect({ disconnects, dials }).toEqual({ disconnects: 3, dials: 1 })
})

test('without bootstrap peers there is nothing to do', async () => {
  const options = {
    addresses: [],
    reach: { connection: unreachable, dial: unreachable },
    isConnected: () => false,
    nextDisconnect: unreachable
  }
  await stayConnected(
    { ...options, pause: seconds(1), clock: recordingClock(() => undefined), log: silentLogger },
    new AbortController().signal
  )
})
