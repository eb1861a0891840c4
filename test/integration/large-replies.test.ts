import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeGoJson, hours, millis, seconds, toNanos } from '../../src/base/index.ts'
import { createMemoryNetwork, createVirtualClock, type MemoryNetwork, type VirtualClock } from '../../src/testing/index.ts'
import { createContext } from '../../src/ucan/index.ts'
import { startActors, type TestActors, testBehavior } from '../support/actors.ts'

const list = testBehavior('/test/list')

describe('a reply that is larger than a message can be', () => {
  let clock: VirtualClock
  let network: MemoryNetwork
  let node: TestActors
  let guest: TestActors
  /** Frames that the node sent, by their length. */
  let frames: number[]
  const rows = Array.from({ length: 40_000 }, (_, index) => ({ id: index, name: `row ${index}`, text: 'x'.repeat(40) }))

  beforeEach(async () => {
    clock = createVirtualClock()
    network = createMemoryNetwork({ clock })
    node = await startActors(network, clock)
    guest = await startActors(network, clock)
    network.link(node.key.peerId, guest.key.peerId)
    const token = await createContext({ signer: node.owner }).grant({
      subject: guest.key.did,
      capabilities: [list.name],
      expiresAt: toNanos(millis(clock.now() + hours(1)))
    })
    node.context.anchor({ kind: 'require', token }, clock.now())
    node.actors.root.on(list, async () => rows)
    frames = []
    const host = network.host(node.key.peerId)
    const { send } = host
    host.send = (peer, inbox, frame, options) => {
      frames.push(frame.length)
      return send.call(host, peer, inbox, frame, options)
    }
  })

  afterEach(() => clock.run(Promise.all([node.stop(), guest.stop()])))

  test('comes in pieces to an actor that may call nothing but its behaviour', async () => {
    expect(encodeGoJson(rows).length).toBeGreaterThan(3_000_000)
    expect(await clock.run(guest.actors.root.invoke(node.actors.root.handle, list, null))).toEqual(rows)
    expect(Math.max(...frames)).toBeLessThanOrEqual(1_048_576)
    expect(frames.length).toBeGreaterThan(6)
  })

  test('comes in pieces to a client, too', async () => {
    expect(await clock.run(node.client(node.owner).invoke({ behavior: list.name }))).toEqual(rows)
  })

  test('is an error with a text for callers that do not know of pieces', async () => {
    const envelope = await node.client(node.owner).compose({ kind: 'invoke', behavior: list.name })
    const reply = await clock.run(node.actors.relayInvoke(envelope))
    const payload = JSON.parse(Buffer.from(reply.payload ?? []).toString()) as Record<string, unknown>
    expect(payload).toMatchObject({ OK: false, code: 'ACTOR_REPLY_TOO_LARGE' })
    expect(payload['error']).toMatch(/^the reply to \/test\/list has \d+ bytes, one message carries 720000$/)
  })

  test('is not read by others who may call the behaviour', async () => {
    const session = node.client(node.owner)
    const reply = await clock.run(node.actors.relayInvoke(await session.compose({ kind: 'invoke', behavior: list.name })))
    const { chunks } = JSON.parse(Buffer.from(reply.payload ?? []).toString()) as { readonly chunks: { readonly id: string } }
    const piece = { ...list, name: `${list.name}/reply/chunk` }
    const stolen = guest.actors.root.invoke(node.actors.root.handle, piece, { id: chunks.id, offset: 0 }, { timeout: seconds(5) })
    await expect(clock.run(stolen)).rejects.toMatchObject({ code: 'ACTOR_REPLY_GONE' })
  })
})
