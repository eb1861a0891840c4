import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { eventually } from '../../test/support/network-hosts.ts'
import { fromUtf8, silentLogger, systemClock, systemRandom, utf8 } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { parsePeerId } from './addresses.ts'
import { UnreachableError } from './errors.ts'
import type { Reachability } from './index.ts'
import { followRelays, type RelayNoticeOptions } from './relay-notices.ts'

interface Scene {
  readonly events: string[]
  readonly options: RelayNoticeOptions
  become(reachability: Reachability): void
}

function createScene(changes: Partial<RelayNoticeOptions> = {}, found: readonly string[] = []): Scene {
  const events: string[] = []
  let current: Reachability = 'unknown'
  let listener: (now: Reachability) => void = () => undefined
  const peer = parsePeerId(generateKeyPair().peerId)
  const options: RelayNoticeOptions = {
    board: {
      advertise: async (key, data) => void events.push(`advertise ${key} ${fromUtf8(data)}`),
      unadvertise: async (key) => void events.push(`unadvertise ${key}`),
      query: async (key) => {
        events.push(`query ${key}`)
        return found.map((addresses) => ({ peer, data: utf8(addresses) }))
      },
      run: async () => undefined
    },
    reachability: {
      current: () => current,
      onChange: (heard) => {
        listener = heard
        return () => undefined
      },
      identified: () => undefined,
      run: async () => undefined
    },
    serves: true,
    announced: () => ['/ip4/9.9.9.9/tcp/9000', '/ip4/10.0.0.1/tcp/9000'].map((text) => multiaddr(text)),
    connectedRelays: async () => 0,
    reach: {
      connection: async () => Promise.reject(new UnreachableError('nobody there')),
      dial: async (_peer, addresses) => {
        events.push(`dial ${addresses.join(' ')}`)
        throw new UnreachableError('nobody there')
      }
    },
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    ...changes
  }
  return {
    ...{ events, options },
    become: (reachability) => {
      current = reachability
      listener(reachability)
    }
  }
}

async function during(scene: Scene, work: () => Promise<void>): Promise<void> {
  const stopping = new AbortController()
  const following = followRelays(scene.options, stopping.signal)
  await work()
  stopping.abort()
  await following
}

test('a relay that can be reached says so with its public addresses, and takes it back when it cannot any more', async () => {
  const scene = createScene()
  await during(scene, async () => {
    scene.become('public')
    scene.become('private')
    await eventually(() => scene.events.length === 3)
  })
  expect(scene.events).toEqual(['advertise relay /ip4/9.9.9.9/tcp/9000', 'unadvertise relay', 'query relay'])
})

test('a node that does not relay never says that it does', async () => {
  const scene = createScene({ serves: false })
  await during(scene, async () => scene.become('public'))
  expect(scene.events).toEqual(['unadvertise relay'])
})

test('a node that cannot be reached connects to relays that it finds, at their public addresses only', async () => {
  const scene = createScene({ serves: false }, ['/ip4/8.8.8.8/tcp/9000\nnonsense\n/ip4/127.0.0.1/tcp/80'])
  await during(scene, async () => {
    scene.become('private')
    await eventually(() => scene.events.length === 3)
  })
  expect(scene.events.slice(1)).toEqual(['query relay', 'dial /ip4/8.8.8.8/tcp/9000'])
})

test('a node with relays enough looks for no more', async () => {
  let asked = 0
  const connectedRelays = async (): Promise<number> => {
    asked += 1
    return 2
  }
  const scene = createScene({ connectedRelays })
  await during(scene, async () => {
    scene.become('private')
    await eventually(() => asked === 1)
  })
  expect(scene.events).toEqual(['unadvertise relay'])
})
