import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Envelope, encodeEnvelope, handleOf, rootHandleOf, signedBytes } from '../../src/actor/index.ts'
import { seconds, silentLogger, systemClock, systemRandom, toNanos, utf8 } from '../../src/base/index.ts'
import { generateKeyPair, type KeyPair } from '../../src/identity/index.ts'
import { createNetworkHost } from '../../src/network/index.ts'
import { createContext, encodeTokenList } from '../../src/ucan/index.ts'
import { createMachines, type TestMachine, type TestMachines } from '../support/machine.ts'

describe('a stranger at a real daemon', () => {
  let machines: TestMachines
  let node: TestMachine
  let stranger: TestMachine

  beforeAll(async () => {
    machines = await createMachines()
    node = await machines.create('node')
    stranger = await machines.create('stranger')
    await node.start()
  })

  afterAll(async () => {
    await machines.dispose()
  })

  async function nodeStillServes(): Promise<void> {
    const self = await node.command<{ readonly id: string }>('/dms/node/peers/self')
    expect(self.id).toBe(node.dms.peerId)
  }

  test('gets nothing over REST, whatever it asks for', async () => {
    for (const behavior of ['/public/hello', '/public/status', '/dms/node/peers/list', '/dms/node/deployment/list']) {
      const { code, stdout, stderr } = await stranger.nunet([
        '--rest-port',
        String(node.restPort),
        'actor',
        'cmd',
        '-c',
        'user',
        '-t',
        '1s',
        behavior
      ])
      expect(stdout).toBe('')
      expect(stderr).toMatch(/request timeout/)
      expect(code).not.toBe(0)
    }
    await nodeStillServes()
  })

  test('gets nothing over libp2p, with tokens of its own making', async () => {
    const key = generateKeyPair()
    const host = createNetworkHost({
      privateKey: key.exportPrivate(),
      listen: [],
      bootstrap: [],
      clock: systemClock,
      random: systemRandom,
      log: silentLogger
    })
    await host.start()
    try {
      const replies: Uint8Array[] = []
      host.listen('root', (frame) => replies.push(frame))
      const { listen_addr } = await node.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
      await host.connect(listen_addr.split(', ')[0] ?? '')
      for (const behavior of ['/public/hello', '/dms/node/peers/list', '/nothing/here']) {
        await host.send(node.dms.peerId, 'root', utf8(encodeEnvelope(await invocation(key, behavior))))
      }
      await systemClock.sleep(seconds(1))
      expect(replies).toEqual([])
    } finally {
      await host.stop()
    }
    await nodeStillServes()
  })

  async function invocation(key: KeyPair, behavior: string): Promise<Envelope> {
    const to = rootHandleOf(node.dms.publicKey)
    if (!to.ok) throw new Error(to.error.message)
    const now = systemClock.now()
    const expiresAt = toNanos(now) + 30_000_000_000n
    const tokens = await createContext({ signer: key }).present({
      target: node.dms.did,
      subject: key.actorId,
      audience: node.dms.actorId,
      expiresAt,
      invoke: [behavior],
      now
    })
    const unsigned: Envelope = {
      to: to.value,
      behavior,
      from: handleOf(key, key.did, key.peerId, 'root'),
      nonce: toNanos(now),
      expiresAt,
      replyTo: '/private/user/1',
      topic: '',
      payload: new Uint8Array(),
      capabilities: utf8(encodeTokenList(tokens)),
      signature: new Uint8Array()
    }
    return { ...unsigned, signature: await key.sign(signedBytes(unsigned)) }
  }

  test('gets nothing with a foreign page’s origin or host name', async () => {
    const url = `http://127.0.0.1:${node.restPort}/api/v1/actor/handle`
    expect((await fetch(url, { headers: { origin: 'http://evil.example' } })).status).toBe(403)
    expect((await fetch(url)).status).toBe(200)
  })

  test('a second daemon on the same data is refused at once', async () => {
    const { code, stderr } = await node.nunet(['--rest-port', '1', 'run', '-c', 'dms'])
    expect(code).not.toBe(0)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    await nodeStillServes()
  })
})
