import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { JsonValue } from '../../base/index.ts'
import { call, type FakeNode, startFakeNode } from '../fixtures.ts'

let home = ''
let node: FakeNode
let reply: JsonValue

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-deployments-'))
  node = await startFakeNode(() => reply)
  await call(home, ['cap', 'new', 'user'])
})
afterEach(async () => {
  await node.close()
  await rm(home, { recursive: true })
})

const nunet = (...argv: string[]) => call(home, ['--rest-port', String(node.port), ...argv])

const entry = (id: string, status: string) => ({
  orchestrator_id: id,
  status,
  created_at: '2020-01-01T00:00:00Z',
  updated_at: 'never',
  metadata: { team: 'a b\u001b[2J' }
})

describe('nunet get deployments', () => {
  test('refuses a list that it cannot read', async () => {
    reply = { deployments: [{ orchestrator_id: 7 }], total: 1, has_more: false }
    const outcome = await nunet('get', 'deployments')
    expect(outcome).toMatchObject({ stdout: '' })
    expect(outcome.code).not.toBe(0)
    expect(outcome.stderr).toContain('the list of the node cannot be read')
  })

  test('prints a table whose texts cannot drive a terminal', async () => {
    reply = { deployments: [entry('one', 'Running'), entry('two', 'Failed')], total: 5, has_more: true }
    const { code, stdout, stderr } = await nunet('get', 'deployments')
    expect(code).toBe(0)
    const lines = stdout.split('\n')
    expect(lines[0]).toMatch(/^ID {3}STATUS {3,}AGE {2}CHANGED {2}METADATA$/)
    expect(lines[1]).toMatch(/^one {2}Running +\d+d +- {2}team=a b\\u001b\[2J$/)
    expect(lines).toHaveLength(4)
    expect(stderr).toBe('2 of 5: more with --limit and --offset\n')
  })

  test('says so when there is none, on stderr', async () => {
    reply = { deployments: [], total: 0, has_more: false }
    expect(await nunet('get', 'deployments')).toEqual({ code: 0, stdout: '', stderr: 'No deployments\n' })
  })

  test('prints the reply as it is with --json, and asks for what the flags say', async () => {
    reply = { deployments: [entry('one', 'Running')], total: 1, has_more: false }
    const { stdout } = await nunet('get', 'deployments', '--json', '--status', 'running')
    expect(JSON.parse(stdout)).toEqual(reply)
    expect(node.seen.at(-1)?.payload).toMatchObject({ status: ['running'] })
  })
})

describe('nunet deploy', () => {
  test('refuses a file that is not there, and fails as the node does', async () => {
    expect((await nunet('deploy', '-f', 'nothing.yaml')).code).toBe(66)
    expect(node.seen).toEqual([])
  })

  test('prints the id that the node gives', async () => {
    reply = { Status: 'OK', EnsembleID: 'e1' }
    const outcome = await nunet('deploy', '-f', join(import.meta.dirname, '../../../examples/hello.yaml'))
    expect(outcome).toMatchObject({ code: 0 })
    expect(JSON.parse(outcome.stdout)).toEqual(reply)
    expect(node.seen.at(-1)?.envelope.behavior).toBe('/dms/node/deployment/new')
  })
})
