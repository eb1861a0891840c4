import type { Connection, PeerId } from '@libp2p/interface'
import { expect, test } from 'vitest'
import { CancelledError, type Clock, millis, silentLogger } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { parsePeerId } from './addresses.ts'
import { UnreachableError } from './errors.ts'
import type { Reach } from './reach.ts'
import { createReconnector } from './reconnect.ts'

interface World {
  readonly pauses: number[]
  readonly dials: string[]
  lose(status: Connection['status'], peer?: PeerId): void
  /** Resolves when nothing is dialled any more. */
  settled(): Promise<void>
}

/** The peer answers the dial of that number. */
function createWorld(answersAt: number, wanted = true): World {
  const peers = new Set<string>()
  const pauses: number[] = []
  const dials: string[] = []
  let now = 0
  const clock: Clock = {
    now: () => millis(now),
    async sleep(duration, { signal } = {}) {
      if (signal?.aborted === true) throw new CancelledError('stopped')
      pauses.push(duration / 1000)
      now += duration
    }
  }
  const reach: Reach = {
    async connection(peer) {
      dials.push(peer.toString())
      if (dials.length < answersAt) throw new UnreachableError('nobody answers')
      peers.add(peer.toString())
      return {} as Connection
    },
    dial: () => Promise.reject(new UnreachableError('not used'))
  }
  const own = parsePeerId(generateKeyPair().peerId)
  const reconnector = createReconnector({
    reach,
    isConnected: (peer) => peers.has(peer.toString()),
    isWanted: async () => wanted,
    clock,
    log: silentLogger
  })
  const stop = new AbortController()
  return {
    pauses,
    dials,
    lose: (status, peer = own) => reconnector.closed({ remotePeer: peer, status } as Connection, stop.signal),
    async settled() {
      for (let turn = 0, before = -1; turn < 1000 && before !== pauses.length; turn += 1) {
        before = pauses.length
        for (let micro = 0; micro < 20; micro += 1) await Promise.resolve()
      }
      stop.abort()
    }
  }
}

test.each([
  ['closed in order', 'closed', true],
  ['that is no node', 'aborted', false]
] as const)('a connection %s is not made again', async (_case, status, wanted) => {
  const world = createWorld(1, wanted)
  world.lose(status)
  await world.settled()
  expect(world.dials).toEqual([])
})

test('a lost peer is dialled after growing pauses until it answers, by one caller however often it is lost', async () => {
  const world = createWorld(4)
  world.lose('aborted')
  world.lose('reset')
  await world.settled()
  expect(world.dials).toHaveLength(4)
  expect(world.pauses).toEqual([1, 2, 5, 10])
})

test('is given up after ten minutes', async () => {
  const world = createWorld(1000)
  world.lose('aborted')
  await world.settled()
  expect(world.pauses.slice(0, 7)).toEqual([1, 2, 5, 10, 20, 20, 20])
  expect(world.pauses.reduce((sum, pause) => sum + pause, 0)).toBeLessThan(640)
})

test('no more than 64 are dialled at once', async () => {
  const world = createWorld(Number.POSITIVE_INFINITY)
  for (let count = 0; count < 70; count += 1) world.lose('aborted', parsePeerId(generateKeyPair().peerId))
  await world.settled()
  expect(new Set(world.dials).size).toBeLessThanOrEqual(64)
})
