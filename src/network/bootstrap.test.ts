import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { CancelledError, type Clock, type Millis, millis, seconds, silentLogger } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { parsePeerId } from './addresses.ts'
import { type BootstrapOptions, stayConnected } from './bootstrap.ts'
import { UnreachableError } from './errors.ts'
import type { DialTarget } from './known-peers.ts'

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

function somePeer(): DialTarget {
  return { peer: parsePeerId(generateKeyPair().peerId), addresses: [multiaddr('/ip4/127.0.0.1/tcp/9000')] }
}

const unreachable = async (): Promise<never> => {
  throw new UnreachableError('nobody there')
}

const NOBODY: BootstrapOptions = {
  bootstrap: [],
  known: () => [],
  reach: { connection: unreachable, dial: unreachable },
  isConnected: () => false,
  connected: () => 0,
  nextDisconnect: unreachable,
  pause: seconds(1),
  clock: recordingClock(() => undefined),
  log: silentLogger
}

test('unreachable bootstrap peers are dialled again after pauses that grow to two minutes, until the stop', async () => {
  const stopping = new AbortController()
  let pauses: readonly Millis[] = []
  let dials = 0
  const dial = async (): Promise<never> => {
    dials += 1
    return unreachable()
  }
  const clock = recordingClock((slept) => {
    pauses = slept
    if (slept.length === 9) stopping.abort()
  })
  const options = { ...NOBODY, bootstrap: [somePeer(), somePeer()], reach: { connection: unreachable, dial }, clock }
  await stayConnected(options, stopping.signal)
  expect(pauses).toEqual([1, 2, 4, 8, 16, 20, 20, 20, 20].map(seconds))
  expect(dials).toBe(18)
})

test('a connected bootstrap peer ends the dialling until it is gone', async () => {
  const stopping = new AbortController()
  let isConnected = true
  let disconnects = 0
  let dials = 0
  await stayConnected(
    {
      ...NOBODY,
      bootstrap: [somePeer()],
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
      }
    },
    stopping.signal
  )
  expect({ disconnects, dials }).toEqual({ disconnects: 3, dials: 1 })
})

test('peers known from before are dialled before bootstrap peers', async () => {
  const stopping = new AbortController()
  const [bootstrap, known] = [somePeer(), somePeer()]
  const dialled: string[] = []
  const dial = async (peer: unknown): Promise<never> => {
    dialled.push(String(peer))
    return unreachable()
  }
  const clock = recordingClock(() => stopping.abort())
  const options = { ...NOBODY, bootstrap: [bootstrap], known: () => [known], reach: { connection: unreachable, dial }, clock }
  await stayConnected(options, stopping.signal)
  expect(dialled).toEqual([known, bootstrap].map(({ peer }) => peer.toString()))
})

test('three other peers make up for a bootstrap peer that is gone for good', async () => {
  const stopping = new AbortController()
  const waited = async (): Promise<void> => stopping.abort()
  await stayConnected({ ...NOBODY, bootstrap: [somePeer()], connected: () => 3, nextDisconnect: waited }, stopping.signal)
})

test('without bootstrap peers a lost peer is dialled again', async () => {
  const stopping = new AbortController()
  const lost = somePeer()
  let isConnected = true
  const dialled: string[] = []
  await stayConnected(
    {
      ...NOBODY,
      known: () => [lost],
      isConnected: () => isConnected,
      nextDisconnect: async () => {
        isConnected = false
      },
      reach: {
        connection: unreachable,
        dial: async (peer) => {
          dialled.push(peer.toString())
          stopping.abort()
          return unreachable()
        }
      }
    },
    stopping.signal
  )
  expect(dialled).toEqual([lost.peer.toString()])
})

test('without any peers there is nothing to do but wait', async () => {
  const stopping = new AbortController()
  const waited = async (): Promise<void> => stopping.abort()
  await stayConnected({ ...NOBODY, nextDisconnect: waited }, stopping.signal)
})
