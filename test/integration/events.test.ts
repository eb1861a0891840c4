import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeEnvelope } from '../../src/actor/index.ts'
import { type ApiServer, createApiServer } from '../../src/api/index.ts'
import {
  bytes,
  hours,
  type JsonValue,
  type Millis,
  millis,
  minutes,
  seconds,
  silentLogger,
  systemRandom,
  toNanos
} from '../../src/base/index.ts'
import { createClient, createSession, type ServerEvent, type Session } from '../../src/client/index.ts'
import { generateKeyPair, type KeyPair } from '../../src/identity/index.ts'
import { type Cluster, type ClusterNode, createCluster, createVirtualClock, type VirtualClock } from '../../src/testing/index.ts'
import { createContext, type Token } from '../../src/ucan/index.ts'
import { rawRequest } from '../support/gateway.ts'
import { eventually } from '../support/network-hosts.ts'

let clock: VirtualClock
let cluster: Cluster
let node: ClusterNode
let api: ApiServer
const stops: AbortController[] = []

beforeEach(async () => {
  clock = createVirtualClock()
  cluster = await createCluster(clock)
  node = await cluster.start()
  api = createApiServer({
    tcp: { host: '127.0.0.1', port: 0 },
    relay: node.actors,
    handle: node.actors.root.handle,
    events: node.node.eventStreams,
    log: silentLogger,
    clock
  })
  await api.start()
})

afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort()
  await clock.run(api.stop())
  await clock.run(cluster.dispose())
})

function sessionOf(signer: KeyPair, provide: readonly Token[] = []): Session {
  const context = createContext({ signer, anchors: { roots: [], require: [], provide, revoke: [] } })
  return createSession({ client: createClient({ ...api.places(), clock }), context, clock, random: systemRandom })
}

const pass = (duration: Millis): Promise<void> => clock.run(clock.sleep(duration))

/** Something that happens, and is told with the number of its cores. */
async function lend(cores: number): Promise<void> {
  await node.node.ledger.setOffer({ cpuCores: cores, memory: bytes(1024), disk: bytes(1024), gpus: [] })
}

/** A stream that is read as it comes. */
interface Reading {
  readonly items: readonly ServerEvent[]
  /** What was told, in short: `lent 2`, `live`, `end expired`. */
  told(): readonly string[]
  readonly isOver: boolean
}

async function read(session: Session, after = '', life: Millis = hours(1)): Promise<Reading> {
  const stop = new AbortController()
  stops.push(stop)
  const items: ServerEvent[] = []
  const stream = await session.events(after, life, { signal: stop.signal })
  const reading = { items, told: () => items.map(inShort).filter((text) => !text.startsWith('null')), isOver: false }
  const readAll = async (): Promise<void> => {
    for await (const item of stream) items.push(item)
  }
  readAll()
    .catch(() => undefined) // the test has stopped it
    .finally(() => {
      reading.isOver = true
    })
  return reading
}

function inShort({ type, data }: ServerEvent): string {
  const { status, subject, offer, reason } = data as {
    status?: string
    subject?: string
    offer?: { cores: number }
    reason?: string
  }
  return [offer === undefined ? subject : '', status ?? type, offer?.cores, reason]
    .filter((word) => word !== undefined && word !== '')
    .join(' ')
}

function refusals(reason: string): number | undefined {
  return node.counters.snapshot()[`messages.refused.${reason}`]
}

const isLive = (reading: Reading): boolean => reading.told().includes('live')

async function member(capability: string): Promise<{ readonly session: Session; readonly token: Token }> {
  const key = generateKeyPair()
  const expiresAt = toNanos(millis(clock.now() + hours(48)))
  const owner = createContext({ signer: node.user })
  const token = await owner.grant({ subject: key.did, audience: node.key.did, capabilities: [capability], expiresAt })
  return { session: sessionOf(key, [token]), token }
}

describe('a stream of events is not opened', () => {
  test.each(['a stranger', 'somebody who may do something else'])('for %s, who gets no reply', async (who) => {
    const session = who === 'a stranger' ? sessionOf(generateKeyPair()) : (await member('/dms/node/peers')).session
    const refused = session.events('', hours(1))
    refused.catch(() => undefined) // looked at below
    await eventually(() => refusals('not-authorized') === 1)
    await pass(seconds(10))
    await expect(refused).rejects.toMatchObject({ code: 'CLIENT_REFUSED', status: 408, kind: 'timeout' })
  })

  test('a second time by the same message', async () => {
    const body = encodeEnvelope(
      await sessionOf(node.user).compose({ kind: 'invoke', behavior: '/dms/node/events', payload: {}, timeout: hours(1) })
    )
    const first = request({ ...api.places().tcp, method: 'POST', path: '/api/v1/events' }).on('error', () => undefined)
    const opened = new Promise((resolve) => first.once('response', resolve))
    first.end(body)
    await opened
    first.destroy()
    const again = rawRequest(api.places().tcp ?? { port: 0 }, 'POST', '/api/v1/events', { body })
    await eventually(() => refusals('replayed') === 1)
    await pass(seconds(10))
    expect((await again).status).toBe(408)
  })

  test.each([
    ['another behaviour', '/dms/node/peers/self', undefined],
    ['another node', '/dms/node/events', 'elsewhere']
  ])('by a message for %s', async (_what, behavior, where) => {
    const other = where === undefined ? undefined : await cluster.start()
    const destination = other === undefined ? {} : { destination: other.key.did }
    const body = encodeEnvelope(await sessionOf(node.user).compose({ kind: 'invoke', behavior, ...destination }))
    const answer = await rawRequest(api.places().tcp ?? { port: 0 }, 'POST', '/api/v1/events', { body })
    expect([answer.status, answer.text]).toEqual([
      400,
      expect.stringContaining('to the root actor of this node for /dms/node/events')
    ])
  })

  test('more often than a caller may', async () => {
    const session = sessionOf(node.user)
    for (let count = 0; count < 16; count += 1) await read(session)
    await expect(session.events('', hours(1))).rejects.toMatchObject({ status: 429, kind: 'exhausted' })
    stops.shift()?.abort()
    const other = await member('/dms/node/events')
    expect(await read(other.session)).toBeDefined()
  })
})

describe('a stream of events', () => {
  test('tells what was, and then what happens', async () => {
    await lend(1)
    const reading = await read(sessionOf(node.user))
    await eventually(() => isLive(reading))
    await lend(2)
    await eventually(() => reading.told().includes('lent 2'))
    expect(reading.told().slice(-3)).toEqual(['lent 1', 'live', 'lent 2'])
    expect(reading.isOver).toBe(false)
  })

  test('tells of peers', async () => {
    const reading = await read(sessionOf(node.user))
    const peer = await cluster.start()
    await eventually(() => reading.told().includes(`${peer.key.peerId} connected`))
    await clock.run(peer.stop())
    await eventually(() => reading.told().includes(`${peer.key.peerId} disconnected`))
  })

  test('goes on after the event that its reader knows, by the message or by Last-Event-ID', async () => {
    for (const cores of [1, 2, 3]) await lend(cores)
    const first = await read(sessionOf(node.user))
    await eventually(() => isLive(first))
    const known = first.items.find((item) => inShort(item) === 'lent 2')?.id ?? ''
    const second = await read(sessionOf(node.user), known)
    await eventually(() => isLive(second))
    expect(second.told()).toEqual(['lent 3', 'live'])

    const body = encodeEnvelope(await sessionOf(node.user).compose({ kind: 'invoke', behavior: '/dms/node/events', payload: {} }))
    const outgoing = request({ ...api.places().tcp, method: 'POST', path: '/api/v1/events', headers: { 'Last-Event-ID': known } })
    let text = ''
    outgoing.on('error', () => undefined)
    outgoing.on('response', (incoming) => {
      expect(incoming.headers['content-type']).toBe('text/event-stream; charset=utf-8')
      incoming.on('error', () => undefined)
      incoming.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
    })
    outgoing.end(body)
    await eventually(() => text.includes('event: live'))
    outgoing.destroy()
    expect(text.match(/^event: .*$/gm)).toEqual(['event: offer', 'event: live'])
    expect(text).toMatch(/^id: [0-9a-f]{8}-\d+\nevent: offer\ndata: \{"id":.*"cores":3.*\}\n\n/)
  })

  test.each(['00000000-1', 'nonsense', '-', '99999999999999999999'])('says that events are missing after %s', async (after) => {
    await lend(1)
    const reading = await read(sessionOf(node.user), after)
    await eventually(() => isLive(reading))
    expect(reading.told()[0]).toBe('gap')
    expect(reading.told()).toContain('lent 1')
  })

  test('is alive though nothing happens', async () => {
    const body = encodeEnvelope(
      await sessionOf(node.user).compose({ kind: 'invoke', behavior: '/dms/node/events', payload: {}, timeout: hours(1) })
    )
    const outgoing = request({ ...api.places().tcp, method: 'POST', path: '/api/v1/events' })
    let text = ''
    outgoing.on('error', () => undefined)
    outgoing.on('response', (incoming) =>
      incoming.on('data', (chunk: Buffer) => (text += chunk.toString())).on('error', () => undefined)
    )
    outgoing.end(body)
    await eventually(() => text.includes('event: live'))
    await pass(seconds(31))
    await eventually(() => (text.match(/^: /gm) ?? []).length >= 2)
    outgoing.destroy()
  })

  test('ends when its message expires', async () => {
    const reading = await read(sessionOf(node.user), '', minutes(5))
    await eventually(() => isLive(reading))
    await pass(minutes(4))
    expect(reading.isOver).toBe(false)
    await pass(seconds(61))
    await eventually(() => reading.isOver)
    expect(reading.told().at(-1)).toBe('end expired')
  })

  test('ends within seconds when the right to it is revoked', async () => {
    const { session, token } = await member('/dms/node/events')
    const reading = await read(session)
    const own = await read(sessionOf(node.user))
    await eventually(() => isLive(reading) && isLive(own))
    const revocation = await createContext({ signer: node.user }).revoke(token)
    await node.contextFile.update((context) => context.anchor({ kind: 'revoke', token: revocation }, clock.now()))
    await pass(seconds(11))
    await eventually(() => reading.isOver)
    expect(reading.told().at(-1)).toBe('end not allowed any more')
    expect(own.isOver).toBe(false)
  })

  test('ends when the node stops', async () => {
    const reading = await read(sessionOf(node.user))
    await eventually(() => isLive(reading))
    await clock.run(api.stop())
    await eventually(() => reading.isOver)
  })
})

test('the behaviour gives the latest events without a stream', async () => {
  for (const cores of [1, 2, 3]) await lend(cores)
  const ask = async (payload: JsonValue) =>
    (await sessionOf(node.user).invoke({ behavior: '/dms/node/events', payload })) as {
      events: { id: string; offer: object }[]
      last: string
    }
  const newest = await ask({ limit: 2 })
  expect(newest.events.map(({ offer }) => offer)).toEqual([
    expect.objectContaining({ cores: 2 }),
    expect.objectContaining({ cores: 3 })
  ])
  const next = await ask({ after: newest.events[0]?.id ?? '' })
  expect(next.events.map(({ id }) => id)).toEqual([newest.last])
})
