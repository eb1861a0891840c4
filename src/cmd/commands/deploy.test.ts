import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { JsonValue } from '../../base/index.ts'
import { type CallOptions, call, type FakeNode, type Outcome, startFakeNode } from '../fixtures.ts'

const ENSEMBLE = `version: V1
allocations:
  one: { type: task, executor: wasm, resources: { cpu: { cores: 1 }, ram: { size: 1 }, disk: { size: 1 } }, execution: { type: wasm, module: m.wasm } }
nodes:
  n: { allocations: [one] }
`

let home = ''
let node: FakeNode
/** What the node says of the deployment, poll by poll; the last one again and again. */
let story: JsonValue[]
/** The whole output of each allocation. */
let output: Readonly<Record<string, string>>
let connected: readonly string[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-deploy-'))
  await call(home, ['cap', 'new', 'user'])
  await writeFile(join(home, 'job.yaml'), ENSEMBLE)
  await writeFile(join(home, 'm.wasm'), '\0asm\u0001\0\0\0')
  output = { 'n.one': 'hello\nworld\n' }
  story = [status('Running', 'running'), status('Completed', 'completed')]
  node = await startFakeNode(({ envelope, payload }) => answer(envelope.behavior, payload))
})
afterEach(async () => {
  await node.close()
  await rm(home, { recursive: true })
})

function status(state: string, allocation: string, more: { readonly [name: string]: JsonValue } = {}): JsonValue {
  const allocations = Object.keys(output).map((name) => [name, { allocation_id: 'a', status: allocation }])
  const events = [{ at: '2026-01-01T00:00:00Z', text: 'asking for bids\u001b[2J' }]
  return { status: state, error: '', allocation_info: Object.fromEntries(allocations) as JsonValue, events, ...more }
}

function answer(behavior: string, payload: JsonValue): JsonValue | undefined {
  if (behavior.endsWith('/new')) return { Status: 'OK', EnsembleID: 'abc' }
  if (behavior.endsWith('/peers/list')) return { Peers: connected, peers: connected.map((id) => ({ peer_id: id })) }
  if (behavior.endsWith('/status')) return story.length > 1 ? story.shift() : story[0]
  const { AllocationName: name, stdout_offset: from } = payload as { AllocationName: string; stdout_offset: number }
  const text = (output[name] ?? '').slice(from, from + 8)
  const complete = story.length === 1 && from + text.length === (output[name] ?? '').length
  const pages = { stdout: text, stderr: '', stdout_next_offset: from + text.length, stderr_next_offset: 0, complete }
  return { status: 'ok', LogsWrittenTo: `/d/${name}`, Error: '', ...pages }
}

const nunet = (argv: readonly string[], options?: CallOptions): Promise<Outcome> =>
  call(home, ['--rest-port', String(node.port), 'deploy', ...argv], options)

describe('nunet deploy refuses', () => {
  test.each([
    [['job.yaml', '-f', 'job.yaml'], '--spec-file and a file as an argument exclude each other'],
    [['job.yaml', '--dest', 'x'], '--dest and a file as an argument exclude each other'],
    [['--detach'], '--detach belongs to: nunet deploy <file>']
  ])('%j', async (argv, complaint) => {
    const outcome = await nunet(argv)
    expect(outcome).toMatchObject({ code: 2, stdout: '' })
    expect(outcome.stderr).toContain(complaint)
    expect(node.seen).toEqual([])
  })
})

describe('nunet deploy with a file', () => {
  test('fails with the reason of a deployment that failed, and says where its output is', async () => {
    story = [status('Failed', 'failed', { error: 'n.one ended with code 3' })]
    const { code, stdout, stderr } = await nunet(['job.yaml'])
    expect({ code, stdout }).toEqual({ code: 65, stdout: 'hello\nworld\n' })
    expect(stderr).toContain('Error: the deployment failed: n.one ended with code 3; its output is in /d/n.one\n')
  })

  test.each([
    [[], 'This machine is connected to no other'],
    [['12D3KooWa', '12D3KooWb'], 'This machine is connected to 2 others; none of them lends you what the job needs']
  ])('explains why nobody bid when the peers are %j', async (peers, explanation) => {
    output = {}
    story = [status('Failed', '', { error: 'no bid for node n' })]
    connected = peers
    const { code, stderr } = await nunet(['job.yaml'])
    expect(code).toBe(65)
    expect(stderr).toContain(explanation)
  })

  test('prints the output as it is, whole, and what happened on stderr', async () => {
    output = { 'n.one': 'color \u001b[31m and a half line' }
    const { code, stdout, stderr } = await nunet(['job.yaml'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: output['n.one'] })
    expect(stderr).toContain('  asking for bids\\u001b[2J\n')
    expect(stderr.match(/asking for bids/g)).toHaveLength(1)
  })

  test('shows control characters of the output on a terminal, and ends a half line', async () => {
    output = { 'n.one': 'a\tb\u001b[2J' }
    const screen = { columns: 80, hasColors: false, canRedraw: true }
    expect((await nunet(['job.yaml'], { screen })).stdout).toBe('a\tb\\u001b[2J\n')
  })

  test('begins each line with the name of its allocation when there are several', async () => {
    output = { 'n.one': 'first line\nsecond\n', 'n.two': 'only' }
    story = [status('Completed', 'completed')]
    const { stdout } = await nunet(['job.yaml'])
    expect(stdout).toBe('n.one | first line\nn.one | second\nn.two | only')
  })

  test('prints only the id with --detach', async () => {
    expect(await nunet(['job.yaml', '--detach'])).toMatchObject({ code: 0, stdout: 'abc\n' })
    expect(node.seen.map(({ envelope }) => envelope.behavior)).toEqual(['/dms/node/deployment/new'])
  })

  test('leaves the deployment alone when it is interrupted', async () => {
    story = [status('Running', 'running')]
    const stop: { listener?: () => void } = {}
    const interrupted = nunet(['job.yaml'], {
      onStopSignal(listener) {
        stop.listener = listener
        return () => undefined
      }
    })
    while (!node.seen.some(({ envelope }) => envelope.behavior.endsWith('/status'))) await new Promise(setImmediate)
    stop.listener?.()
    const { code, stderr } = await interrupted
    expect(code).toBe(130)
    expect(stderr).toContain('The deployment goes on')
    expect(node.seen.some(({ envelope }) => envelope.behavior.endsWith('/shutdown'))).toBe(false)
  })
})
