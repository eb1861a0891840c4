import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSecret, hours, millis, systemClock, toNanos } from '../../base/index.ts'
import { createKeystore, generateKeyPair } from '../../identity/index.ts'
import { type CapabilityContext, createContextStore } from '../../ucan/index.ts'
import { call } from '../fixtures.ts'

const NOW = millis(Date.parse('2026-06-01T00:00:00Z'))
const now = new Date(NOW).toISOString()

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cmd-network-'))
})
afterEach(() => rm(root, { recursive: true }))

async function nunet(owner: string, argv: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await call(join(root, owner), argv, { now, input })
  expect({ code, stderr }).toMatchObject({ code: 0 })
  return stdout.trim()
}

/** Sets a node up and, when it shall be a member, hands it the organisation's token. */
async function setUp(owner: string, organization: string, isMember: boolean): Promise<CapabilityContext> {
  const setup = ['--rest-port', '1', 'setup', '--yes', '--organization', organization]
  const [, user = ''] = /^user (\S+)$/m.exec(await nunet(owner, setup)) ?? []
  const terms = ['--cap', '/public', '--cap', '/broadcast', '--topic', '/nunet', '--duration', '2400h']
  if (isMember) await nunet(owner, [...setup, '--token', '-'], await nunet('org', ['cap', 'grant', '-c', 'org', ...terms, user]))
  const directory = join(root, owner, '.nunet')
  const key = await createKeystore({ directory: join(directory, 'key') }).open('dms', createSecret('secret'))
  const clock = { ...systemClock, now: () => NOW }
  return (await createContextStore({ directory: join(directory, 'cap'), clock }).open('dms', key)).context
}

/** Whether one node may call a behaviour of another. */
async function mayCall(caller: CapabilityContext, callee: CapabilityContext, behavior: string): Promise<boolean> {
  const [from, to] = [generateKeyPair(), generateKeyPair()]
  const message = { subject: from.actorId, audience: to.actorId, expiresAt: toNanos(NOW) + toNanos(hours(1)), now: NOW }
  const tokens = await caller.present({ ...message, target: callee.did, invoke: [behavior] })
  return callee.authorize({ subject: from.did, audience: to.did, capabilities: [behavior], tokens }, NOW).ok
}

test('nodes of different owners that setup joined to one network may greet each other, and nobody else may', async () => {
  const organization = await nunet('org', ['cap', 'new', 'org'])
  const [a, b] = [await setUp('a', organization, true), await setUp('b', organization, true)]
  const stranger = await setUp('c', organization, false)
  expect(await mayCall(stranger, a, '/public/hello')).toBe(false)
  expect(await mayCall(a, b, '/dms/node/peers/list')).toBe(false)
  expect(await mayCall(a, b, '/dms/deployment/request')).toBe(false)
  expect([await mayCall(a, b, '/public/hello'), await mayCall(b, a, '/public/hello')]).toEqual([true, true])
})
