import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decodeEnvelope, parsePayload } from '../actor/index.ts'
import { fromNanos, type JsonValue } from '../base/index.ts'
import * as protocol from '../protocol/index.ts'
import { BEHAVIORS } from './behaviors.ts'
import { failureIn } from './commands/actor-cmd.ts'
import { call, type FakeNode, startFakeNode } from './fixtures.ts'
import { formatJson } from './output.ts'
import { CALLS } from './payloads.ts'

let home = ''
let node: FakeNode
let reply: JsonValue | undefined

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-actor-'))
  reply = { OK: true }
  node = await startFakeNode(() => reply)
  await call(home, ['cap', 'new', 'dms'])
})
afterEach(async () => {
  await node.close()
  await rm(home, { recursive: true })
})

const nunet = (...argv: string[]) => call(home, ['--rest-port', String(node.port), '-c', 'dms', ...argv])
const cmd = (...argv: string[]) => nunet('actor', 'cmd', ...argv)

describe('a call that fails', () => {
  test('says that nobody listens', async () => {
    const outcome = await call(home, ['--rest-port', '1', 'actor', 'cmd', '-c', 'dms', '/dms/node/peers/self'])
    expect(outcome).toMatchObject({ code: 69, stdout: '' })
    expect(outcome.stderr).toContain('cannot reach the DMS at 127.0.0.1:1: is it running? (nunet run)')
  })

  test('says request timeout and status 408 when nobody answered', async () => {
    reply = undefined
    const outcome = await cmd('/dms/node/peers/self')
    expect(outcome).toMatchObject({ code: 75, stdout: '' })
    expect(outcome.stderr).toContain('request timeout')
    expect(outcome.stderr).toContain('status 408')
  })

  test('has the kind and the text of the error that the node sent, in one line', async () => {
    reply = { code: 'DMS_X', kind: 'not-found', message: 'no such\npeer \u001b[31m' }
    expect(await cmd('/dms/node/peers/self')).toEqual({ code: 66, stdout: '', stderr: 'Error: no such peer \\u001b[31m\n' })
  })

  test.each<[string[], JsonValue, string]>([
    [['/dms/node/onboarding/offboard'], { success: false, error: 'jobs run' }, 'jobs run'],
    [['/dms/node/onboarding/offboard'], { success: false }, 'the node answered success: false'],
    [['/dms/node/deployment/shutdown', '-i', 'x'], { OK: false, Error: 'has ended' }, 'has ended'],
    [['/dms/node/deployment/shutdown', '-i', 'x'], { OK: true, Error: 'half done' }, 'half done']
  ])('inside of a delivered reply: %s %s', async (argv, answer, message) => {
    reply = answer
    const outcome = await cmd(...argv)
    expect(outcome).toMatchObject({ code: 65, stderr: `Error: ${message}\n` })
    expect(JSON.parse(outcome.stdout)).toEqual(answer)
  })
})

describe('a call that works', () => {
  test('prints the reply as JSON with exact integers and nothing else', async () => {
    reply = { id: 'x', big: 18446744073709551615n, none: [], list: [1, { a: null }] }
    expect(await cmd('/dms/node/peers/self')).toEqual({
      code: 0,
      stdout:
        '{\n  "id": "x",\n  "big": 18446744073709551615,\n  "none": [],\n  "list": [\n    1,\n    {\n      "a": null\n    }\n  ]\n}\n',
      stderr: ''
    })
    expect(node.seen[0]).toMatchObject({ envelope: { behavior: '/dms/node/peers/self' }, payload: null })
  })

  test('exits 0 for a question whose answer carries an error', async () => {
    reply = { onboarded: false, error: 'partly' }
    expect(await cmd('/dms/node/onboarding/status')).toMatchObject({ code: 0, stderr: '' })
  })

  test('prints the list of replies to a broadcast', async () => {
    reply = { DID: { uri: 'did:key:z6Mk' } }
    const { stdout } = await cmd('/broadcast/hello', '-t', '1s')
    expect(JSON.parse(stdout)).toEqual([reply])
    expect(node.seen[0]?.envelope.topic).toBe('/nunet/hello')
  })

  test('asks the receiver that --dest names', async () => {
    const did = (await call(home, ['key', 'did', 'dms'])).stdout.trim()
    await cmd('/public/hello', '-d', did)
    expect(node.seen[0]?.envelope.to.did).toBe(did)
  })

  test.each<[string[], JsonValue]>([
    [['/dms/node/peers/ping', '--host', '12D3'], { Host: '12D3' }],
    [['/dms/node/peers/connect', '-a', '/ip4/1.2.3.4'], { Address: '/ip4/1.2.3.4' }],
    [['/dms/node/deployment/status', '-i', 'x'], { id: 'x' }],
    [['/dms/node/deployment/status', '--id', 'x', '-u'], { id: 'x', include_usage: true }],
    [['/dms/node/deployment/manifest', '-i', 'x'], { ID: 'x' }],
    [['/dms/node/deployment/logs', '--id', 'x', '--allocation', 'n.a'], { EnsembleID: 'x', AllocationName: 'n.a' }],
    [['/dms/node/deployment/list'], { sort_by: '-created_at' }],
    [['/dms/node/allocations/list'], {}],
    [
      ['/dms/node/allocations/list', '--status', 'running', '--limit', '5', '--offset', '10'],
      { limit: 5, offset: 10, status: ['running'] }
    ],
    [['/dms/node/logger/config', '-l', 'debug', '--enable-elastic=false'], { level: 'debug', elastic_enabled: false }],
    [
      [
        '/dms/node/logger/config',
        '-u',
        'https://x.example',
        '-i',
        '5',
        '--api-key',
        'k',
        '--apm-url',
        'https://y.example',
        '--enable-elastic'
      ],
      { interval: 5, url: 'https://x.example', api_key: 'k', apm_url: 'https://y.example', elastic_enabled: true }
    ],
    [['/dms/debug/flightrec'], {}],
    [['/dms/debug/flightrec', '--limit', '7', '-l', 'warn'], { limit: 7, level: 'warn' }],
    [['/dms/node/onboarding/offboard'], {}],
    [['/dms/node/onboarding/offboard', '--force'], { Force: true }],
    [
      [
        '/dms/node/deployment/list',
        '--limit',
        '5',
        '--offset',
        '10',
        '--sort',
        '-status',
        '--filter',
        'a=b=c',
        '--status',
        'running,failed'
      ],
      { metadata: { a: 'b=c' }, limit: 5, offset: 10, status: ['running', 'failed'], sort_by: '-status' }
    ]
  ])('sends what the flags say: %s', async (argv, payload) => {
    expect(await cmd(...argv)).toMatchObject({ code: 0 })
    expect(node.seen[0]?.payload).toEqual(payload)
  })

  test('sends anchors and revocations to the node itself, from the line or from stdin', async () => {
    const own = (await call(home, ['key', 'did', 'dms'])).stdout.trim()
    const grant = (await nunet('cap', 'grant', '--cap', '/a', '--duration', '1h', own)).stdout.trim()
    const revocation = (await nunet('cap', 'revoke', grant)).stdout.trim()
    const grants = { tok: [expect.objectContaining({ dms: expect.objectContaining({ act: 'delegate' }) as unknown })] as unknown }
    const revocations = {
      tok: [expect.objectContaining({ dms: expect.objectContaining({ act: 'revoke' }) as unknown })] as unknown
    }
    const expected: [string[], JsonValue][] = [
      [['/dms/cap/list'], { Context: 'dms' }],
      [['/dms/cap/root/anchor', '--did', own], { DID: [{ uri: own }] }],
      [['/dms/cap/require/anchor', '--token', grant], { Token: grants as JsonValue }],
      [['/dms/cap/provide/anchor', '--token', '-'], { Token: grants as JsonValue }],
      [['/dms/cap/revoke/anchor', '--token', revocation], { Token: revocations as JsonValue }],
      [['/dms/cap/anchor', '--require', grant], { Require: grants as JsonValue }],
      [['/dms/cap/remove', '--root', own], { Roots: [{ uri: own }] }],
      [['/dms/cap/revoke/broadcast', '--token', revocation], { Token: revocations as JsonValue }],
      [['/dms/cap/revoke/broadcast'], {}]
    ]
    for (const [argv, payload] of expected) {
      const line = ['--rest-port', String(node.port), '-c', 'dms', 'actor', 'cmd', ...argv]
      expect(await call(home, line, { input: grant })).toMatchObject({ code: 0 })
      expect(node.seen.at(-1)).toMatchObject({ envelope: { behavior: argv[0], topic: '' }, payload })
    }
  })

  test('sends an offer in bytes', async () => {
    const gib = 2 ** 30
    await cmd('/dms/node/onboarding/onboard', '--disk', '45.0', '--ram', '512MiB', '--cpu', '7.0', '-G', '0:21.6', '-G', '1:2')
    expect(node.seen[0]?.payload).toMatchObject({
      NoGPU: false,
      GPUs: ['0:21.6', '1:2'],
      Config: { onboarded_resources: { cpu: { cores: 7 }, ram: { size: gib / 2 }, disk: { size: 45 * gib } } }
    })
  })

  test('lends all that is allowed, or a part by size, never both', async () => {
    await cmd('/dms/node/onboarding/onboard', '--max', '--no-gpu')
    expect(node.seen[0]?.payload).toMatchObject({ NoGPU: true, GPUs: [], Max: true })
    const both = await cmd('/dms/node/onboarding/onboard', '--max', '--cpu', '2', '--ram', '1', '--disk', '2')
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('[max cpu]') as unknown })
    const neither = await cmd('/dms/node/onboarding/onboard', '--no-gpu')
    expect(neither).toMatchObject({ code: 2, stderr: expect.stringContaining('[ram cpu disk max]') as unknown })
  })

  test('changes an offer by the name that it had in 2024', async () => {
    await cmd('/dms/node/onboarding/resource', '--disk', '2', '--ram', '1', '--cpu', '1')
    const { payload } = node.seen[0] ?? {}
    expect(Object.keys(payload ?? {})).toEqual(['Config'])
    expect(payload).toMatchObject({ Config: { onboarded_resources: { cpu: { cores: 1 }, ram: { size: 2 ** 30 } } } })
  })

  test('takes times of a list as dates or as how long ago', async () => {
    const argv = ['--rest-port', String(node.port), 'actor', 'cmd', '-c', 'dms', '/dms/node/deployment/list']
    await call(home, [...argv, '--created-after', '7d', '--updated-before', '90m', '--created-before', '2026-01-31'])
    const { created_after, updated_before, created_before } = (node.seen[0]?.payload ?? {}) as Record<string, string>
    expect(created_before).toBe('2026-01-31T00:00:00.000Z')
    const age = (text = ''): number => Math.round((Date.now() - Date.parse(text)) / 60_000)
    expect([age(created_after), age(updated_before)]).toEqual([7 * 24 * 60, 90])
  })
})

describe('deployment/new', () => {
  const ensemble = `version: V1
allocations:
  hello:
    executor: docker
    type: task
    resources: { cpu: { cores: 1 }, ram: { size: 1 }, disk: { size: 1 } }
    execution: { type: docker, image: hello-world }
nodes:
  one:
    allocations: [hello]
`

  test('sends nothing when the file is wrong, and says where', async () => {
    await writeFile(join(home, 'ensemble.yaml'), ensemble.replace('[hello]', '[other]'))
    const outcome = await cmd('/dms/node/deployment/new')
    expect(outcome).toMatchObject({ code: 2, stdout: '' })
    expect(outcome.stderr).toMatch(/^ensemble\.yaml:\d+:\d+: nodes\.one/m)
    expect(node.seen).toEqual([])
  })

  test('lives two minutes unless told otherwise, and prints the id', async () => {
    reply = { Status: 'OK', EnsembleID: 'abc' }
    await writeFile(join(home, 'e.yaml'), ensemble)
    const life = (index: number): number =>
      Math.round((fromNanos(node.seen[index]?.envelope.expiresAt ?? 0n) - Date.now()) / 1000)
    const outcome = await cmd('/dms/node/deployment/new', '-f', 'e.yaml')
    expect(outcome).toMatchObject({ code: 0 })
    expect(outcome.stdout).toContain('"EnsembleID": "abc"')
    expect(life(0)).toBeGreaterThan(110)
    expect(node.seen[0]?.payload).toMatchObject({ Ensemble: { v1: {} } })
    await cmd('/dms/node/deployment/new', '-t', '60s', '-f', 'e.yaml')
    expect(life(1)).toBeLessThan(61)
  })
})

describe('a message made by hand', () => {
  test('is refused by invoke when it asks for no reply, and by broadcast when it is none', async () => {
    const message = (await nunet('actor', 'msg', '/public/hello', '{}')).stdout.trim()
    expect(await nunet('actor', 'invoke', message)).toMatchObject({ code: 2, stdout: '' })
    expect(node.seen).toEqual([])
    expect((await nunet('actor', 'invoke', message)).stderr).toContain('missing replyTo field in message')
    expect((await nunet('actor', 'broadcast', message)).stderr).toContain('message is not a broadcast message')
  })

  test('carries its payload as JSON, not as a text of JSON', async () => {
    const { stdout } = await nunet('actor', 'msg', '/some/behavior', '{"n":18446744073709551615}')
    expect(stdout.split('\n')).toHaveLength(2)
    const envelope = decodeEnvelope(stdout.trim())
    expect(envelope).toMatchObject({ ok: true, value: { behavior: '/some/behavior', replyTo: '' } })
    expect(envelope.ok && parsePayload(envelope.value.payload)).toMatchObject({ ok: true, value: { n: 18446744073709551615n } })
  })

  test('is sent, invoked and broadcast; the reply is its payload', async () => {
    reply = { a: 1 }
    const make = async (...flags: string[]) => (await nunet('actor', 'msg', '/some/behavior', '{}', ...flags)).stdout
    const send = ['--rest-port', String(node.port), 'actor', 'send', '-']
    expect(await call(home, send, { input: await make() })).toEqual({
      code: 0,
      stdout: '{\n  "message": "message sent"\n}\n',
      stderr: ''
    })
    const withoutContext = ['--rest-port', String(node.port), 'actor']
    const invoked = await call(home, [...withoutContext, 'invoke', await make('-i')], { passphrase: '' })
    expect(invoked).toEqual({ code: 0, stdout: '{\n  "a": 1\n}\n', stderr: '' })
    const broadcast = await call(home, [...withoutContext, 'broadcast', await make('-b', '/topic', '-t', '1s')])
    expect(broadcast).toEqual({ code: 0, stdout: '[\n  {\n    "a": 1\n  }\n]\n', stderr: '' })
  })
})

describe('the table of behaviours', () => {
  const known = new Map(
    Object.values(protocol).flatMap((value) =>
      typeof value === 'object' && 'callers' in value ? [[value.name, value] as const] : []
    )
  )

  test('has a payload for all that are not plain, and for no other', () => {
    const withPayload = BEHAVIORS.filter(({ isPlain }) => isPlain !== true).map(({ name }) => name)
    expect(CALLS.map(({ name }) => name).sort()).toEqual(withPayload.sort())
  })

  test('calls only behaviours that exist, plain ones without topic or payload', () => {
    for (const { name, isPlain } of BEHAVIORS) {
      expect(known.has(name), name).toBe(true)
      if (isPlain === true) expect(known.get(name)).toMatchObject({ request: { shape: { type: 'nothing' } } })
      if (isPlain === true) expect(known.get(name)).not.toHaveProperty('topic')
    }
  })
})

test.each<[JsonValue, string | undefined]>([
  [{ OK: true, Error: '' }, undefined],
  [{ Status: 'OK', EnsembleID: 'x' }, undefined],
  [[], undefined],
  [{ success: false, message: 'why' }, 'why'],
  [{ error: 'why' }, 'why']
])('the failure in %j', (answer, failure) => {
  expect(failureIn(answer)).toBe(failure)
})

test('control characters of replies do not reach the terminal', () => {
  expect(formatJson({ 'a\u009b': '\u001b[2J\u007f\u2028' })).toBe('{\n  "a\\u009b": "\\u001b[2J\\u007f\\u2028"\n}')
})
