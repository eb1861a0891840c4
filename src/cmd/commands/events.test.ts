import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { handleToJson, rootHandleOf } from '../../actor/index.ts'
import { encodeGoJson, fromUtf8, isJsonObject, parseJson } from '../../base/index.ts'
import { generateKeyPair } from '../../identity/index.ts'
import { call, type Outcome } from '../fixtures.ts'

let home = ''
let flags: readonly string[] = []
/** What the node does with each request for a stream, in order; the last one again and again. */
let answers: ((response: ServerResponse) => void)[] = []
/** The `after` of each request. */
let asked: unknown[] = []
let close = (): Promise<void> => Promise.resolve()

const event = (id: string, data: object): string =>
  `id: ${id}\nevent: x\ndata: ${JSON.stringify({ id, at: '2026-01-01T12:00:05.000Z', ...data })}\n\n`
const EXECUTOR = event('r-1', { type: 'executor', subject: 'docker', status: 'missing', reason: 'no\u001b[31m Docker' })
const OFFER = event('r-2', { type: 'offer', subject: '', status: 'lent', offer: { cores: 2, memory: 2 ** 31, disk: 2 ** 33 } })
const LIVE = 'id: r-2\nevent: live\ndata: {}\n\n'
const END = (reason: string): string => `id: r-3\nevent: end\ndata: {"reason":"${reason}"}\n\n`

const stream =
  (...texts: readonly string[]) =>
  (response: ServerResponse): void =>
    void response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end(texts.join(''))

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'nunet-events-'))
  answers = []
  asked = []
  const handle = rootHandleOf(generateKeyPair().publicKey)
  const server = createServer((incoming, outgoing) => {
    if (incoming.method === 'GET' && handle.ok) return void outgoing.end(encodeGoJson(handleToJson(handle.value)))
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const envelope = parseJson(Buffer.concat(chunks).toString())
      const payload = envelope.ok && isJsonObject(envelope.value) ? envelope.value['msg'] : ''
      asked.push(JSON.parse(fromUtf8(Buffer.from(typeof payload === 'string' ? payload : '', 'base64'))))
      const answer = answers.length > 1 ? answers.shift() : answers[0]
      answer?.(outgoing)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  close = () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  flags = ['--rest-port', String((server.address() as AddressInfo).port), '--data-dir', home]
  for (const what of ['key', 'cap']) await call(home, [what, 'new', 'user'])
})

afterEach(async () => {
  await close()
  rmSync(home, { recursive: true })
})

const events = (...args: readonly string[]): Promise<Outcome> => call(home, [...flags, 'events', ...args])

test('a node that does not know streams, or does not allow them, is reported', async () => {
  answers = [
    (response) => response.writeHead(404).end('{"error":"there is nothing at /api/v1/events","code":"X","kind":"not-found"}')
  ]
  for (const args of [[], ['--follow']]) {
    const { code, stdout, stderr } = await events(...args)
    expect([code, stdout, stderr]).toEqual([
      66,
      '',
      'Error: request failed with status 404: there is nothing at /api/v1/events\n'
    ])
  }
})

test('what was is shown, without control characters, and then the command ends', async () => {
  answers = [stream(EXECUTOR, OFFER, LIVE, EXECUTOR)]
  expect(await events('--after', 'r-0')).toEqual({
    code: 0,
    stdout:
      '2026-01-01 12:00:05  executor    docker  missing  no\\u001b[31m Docker\n' +
      '2026-01-01 12:00:05  offer       2 cores, 2 GiB of memory, 8 GiB of disk  lent\n',
    stderr: ''
  })
  expect(asked).toEqual([{ after: 'r-0' }])
})

test('with --json each event is a line of JSON', async () => {
  answers = [stream(OFFER, LIVE)]
  const { stdout } = await events('--json')
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id)
  ).toEqual(['r-2'])
})

test('it is said that nothing happened', async () => {
  answers = [stream(LIVE)]
  expect(await events()).toEqual({ code: 0, stdout: '', stderr: 'Nothing happened\n' })
})

test('--follow goes on where it was when the stream expires or the node goes away, and ends when it is not allowed any more', async () => {
  answers = [
    stream(EXECUTOR, LIVE, OFFER, END('expired')),
    (response) => response.destroy(),
    (response) =>
      response.writeHead(500).end(`{"error":"host node hasn't yet been initialized","code":"X","kind":"unavailable"}`),
    stream('event: gap\ndata: {}\n\n', OFFER, END('not allowed any more'))
  ]
  const { code, stdout, stderr } = await events('--follow')
  expect(code).toBe(77)
  expect(stdout.split('\n').map((line) => line.slice(21, 29))).toEqual(['executor', 'offer   ', 'offer   ', ''])
  expect(stderr).toBe(
    'The node is away; waiting for it\nThe node is back\nSome events are not kept any more\n' +
      'Error: the events of the node may not be seen any more\n'
  )
  expect(asked).toEqual([{ after: '' }, { after: 'r-3' }, { after: 'r-3' }, { after: 'r-3' }])
}, 20_000)
