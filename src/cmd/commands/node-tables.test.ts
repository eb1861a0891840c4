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
  home = await mkdtemp(join(tmpdir(), 'cmd-tables-'))
  node = await startFakeNode(() => reply)
  await call(home, ['cap', 'new', 'user'])
})
afterEach(async () => {
  await node.close()
  await rm(home, { recursive: true })
})

const nunet = (...argv: string[]) => call(home, ['--rest-port', String(node.port), ...argv])

describe('nunet get peers', () => {
  test('refuses a list that it cannot read', async () => {
    reply = { Peers: 7 }
    const outcome = await nunet('get', 'peers')
    expect(outcome).toMatchObject({ stdout: '' })
    expect(outcome.stderr).toContain('the list of the node cannot be read')
  })

  test('prints who is connected and how, with score and DID, also of nodes that tell no DID', async () => {
    const score = { Score: 5.00027, Topics: null, AppSpecificScore: 5, IPColocationFactor: 0, BehaviourPenalty: 0 }
    reply = {
      Peers: ['12D3one', '12D3two'],
      peers: [{ peer_id: '12D3one', did: 'did:key:z6Mk', connection: 'relayed' }],
      Score: { '12D3one': score }
    }
    const { code, stdout } = await nunet('get', 'peers')
    expect(code).toBe(0)
    expect(stdout).toBe(
      'PEER     CONNECTION  SCORE  DID\n12D3one  relayed       5.0  did:key:z6Mk\n12D3two  -               -  -\n'
    )
  })

  test('says so when there is none, and prints the reply as it is with --json', async () => {
    reply = { Peers: [], peers: [] }
    expect(await nunet('get', 'peers')).toEqual({ code: 0, stdout: '', stderr: 'No peers\n' })
    expect(JSON.parse((await nunet('get', 'peers', '--json')).stdout)).toEqual(reply)
  })
})

describe('nunet get allocations', () => {
  const entry = {
    id: 'e_node1.a',
    status: 'running',
    executor: 'docker',
    owner: 'did:key:z6Mk',
    created_at: '2020-01-01T00:00:00Z',
    resources: { cpu: { cores: 1.5 }, ram: { size: 2 ** 30 } }
  }

  test('refuses a list that it cannot read', async () => {
    reply = { allocations: [{ id: 7 }] }
    expect((await nunet('get', 'allocations')).stderr).toContain('the list of the node cannot be read')
  })

  test('prints the jobs of others, and asks for what the flags say', async () => {
    reply = { allocations: [entry], total: 3, has_more: true }
    const { code, stdout, stderr } = await nunet('get', 'allocations', '--status', 'running', '--limit', '1')
    expect(code).toBe(0)
    expect(stdout.split('\n')[1]).toMatch(/^e_node1\.a {2}running {2}docker +1\.5 {2}1\.0 GiB {2}\d+d {2}did:key:z6Mk$/)
    expect(stderr).toBe('1 of 3: more with --limit and --offset\n')
    expect(node.seen.at(-1)?.payload).toEqual({ limit: 1, status: ['running'] })
  })

  test('says so when there is none', async () => {
    reply = { allocations: [] }
    expect(await nunet('get', 'allocations')).toEqual({ code: 0, stdout: '', stderr: 'No allocations\n' })
  })
})
