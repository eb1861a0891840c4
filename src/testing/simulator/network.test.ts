import { expect, test } from 'vitest'
import { utf8 } from '../../base/index.ts'
import { generateKeyPair } from '../../identity/index.ts'
import { messageTransportCompliance } from '../compliance/index.ts'
import { createChance } from './chance.ts'
import { parseFaults } from './faults.ts'
import { createSimulatedNetwork, type NetworkObserver } from './network.ts'
import { createProcess } from './process.ts'
import { createWire } from './wire.ts'
import { createWorld } from './world.ts'

const silent: NetworkObserver = {
  sent: () => undefined,
  delivering: (_arrival, deliver) => deliver(),
  failed: () => undefined
}

function createPair() {
  const world = createWorld('network')
  const network = createSimulatedNetwork(world, createWire(world, parseFaults('none')), silent)
  const keys = [1, 2, 3].map((number) => generateKeyPair(createChance(`key ${number}`)))
  const [a = '', b = '', stranger = ''] = keys.map(({ peerId }) => peerId)
  network.add(a, [])
  network.add(b, [a])
  const [first, second] = [network.attach(a, createProcess(world)), network.attach(b, createProcess(world))]
  return { world, network, first, second, stranger }
}

messageTransportCompliance({
  test,
  async create() {
    const { world, first, second, stranger } = createPair()
    await first.start()
    await second.start()
    let isOver = false
    const turn = async (): Promise<void> => {
      while (!isOver) await world.run(world.now() + 1000)
    }
    const turning = turn()
    return {
      first,
      second,
      stranger,
      async stop() {
        isOver = true
        await turning
      }
    }
  }
})

test('a frame for a process that has died meanwhile reaches neither it nor its successor before it listens', async () => {
  const { world, network, first, second } = createPair()
  await first.start()
  await second.start()
  const heard: string[] = []
  second.listen('root', () => heard.push('first life'))
  const sending = first.send(second.peerId, 'root', utf8('x')).catch((error: unknown) => error)
  network.detach(second.peerId)
  const next = network.attach(second.peerId, createProcess(world))
  next.listen('root', () => heard.push('second life'))
  await world.run(world.now() + 10_000)
  expect(await sending).toMatchObject({ code: 'NETWORK_UNREACHABLE' })
  expect(heard).toEqual([])
})

test('what is split hears nothing of each other until it heals', async () => {
  const { world, network, first, second } = createPair()
  await first.start()
  await second.start()
  const heard: string[] = []
  const events: string[] = []
  second.listen('root', (frame) => heard.push(Buffer.from(frame).toString()))
  first.onPeer(({ type }) => events.push(type))
  await world.run(world.now() + 1000)
  network.split((peer) => (peer === first.peerId ? 0 : 1))
  const refused = first.send(second.peerId, 'root', utf8('lost')).catch((error: unknown) => error)
  await world.run(world.now() + 60_000)
  network.heal()
  await world.run(world.now() + 1000)
  const sent = first.send(second.peerId, 'root', utf8('arrived'))
  await world.run(world.now() + 1000)
  await sent
  expect(await refused).toMatchObject({ code: 'NETWORK_UNREACHABLE' })
  expect(heard).toEqual(['arrived'])
  expect(events).toEqual(['identified', 'disconnected', 'identified'])
})
