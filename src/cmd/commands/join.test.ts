import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSecret, hours, millis, systemClock, systemRandom, toNanos } from '../../base/index.ts'
import { summarizeContext } from '../../doctor/index.ts'
import { createKeystore, type Did, generateKeyPair } from '../../identity/index.ts'
import { createContext, linksOf } from '../../ucan/index.ts'
import { type CallOptions, call, type FakeNode, type Outcome, startFakeNode } from '../fixtures.ts'
import { INVITED_CAPABILITIES, type Invited, type NetworkNames } from '../invitations/invitation.ts'
import { bearerKey, encodeInvitation, newBearerSecret } from '../invitations/text.ts'

const owner = generateKeyPair()
const machine = generateKeyPair()
const own = generateKeyPair()
const address = `/ip4/203.0.113.7/tcp/9000/p2p/${machine.peerId}`

let home = ''
let node: FakeNode
let answer: (behavior: string) => { readonly [name: string]: unknown } | undefined

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-join-'))
  answer = () => ({})
  node = await startFakeNode(({ envelope }) => answer(envelope.behavior) as never, own, [machine])
})
afterEach(async () => {
  await node.close()
  await rm(home, { recursive: true })
})

/** The key of the machine, whose daemon the fake node is. */
async function makeMachine(): Promise<void> {
  const keystore = createKeystore({ directory: join(home, '.nunet/key'), kdf: { n: 2, r: 1, p: 1 } })
  await keystore.save('dms', own, createSecret('secret'))
}

interface Terms {
  readonly lasting?: number
  readonly to?: Did
  readonly signer?: typeof owner
  readonly capabilities?: readonly string[]
  readonly depth?: bigint
  readonly network?: NetworkNames
}

async function invitationOf(terms: Terms = {}) {
  const { lasting = 24, to, signer = owner, capabilities = INVITED_CAPABILITIES, depth = 3n, network = {} } = terms
  const secret = newBearerSecret(systemRandom)
  const invited: Invited = to === undefined ? { type: 'bearer', secret } : { type: 'named', did: to }
  const grant = await createContext({ signer }).grant({
    subject: to ?? bearerKey(secret).did,
    capabilities,
    topics: ['/nunet/deployment'],
    expiresAt: toNanos(millis(systemClock.now() + hours(lasting))),
    depth
  })
  return { invited, grant, machine: machine.did, addresses: [address], meetingPoints: [], network }
}

const textOf = async (terms?: Terms): Promise<string> => encodeInvitation(await invitationOf(terms))

const nunet = (argv: readonly string[], options?: CallOptions): Promise<Outcome> =>
  call(home, ['--rest-port', String(node.port), ...argv], options)
const take = (text: string, options?: CallOptions, ...flags: readonly string[]): Promise<Outcome> =>
  nunet(['join', '--yes', ...flags, text], options)

async function contextOf(name: string) {
  const summary = summarizeContext(await readFile(join(home, '.nunet/cap', `${name}.cap`), 'utf8'))
  if (!summary.ok) throw new Error(summary.error)
  return summary.value
}

describe('nunet join refuses, and makes nothing of,', () => {
  test.each<[string, () => Promise<readonly string[]>, number, string]>([
    ['no text without a terminal', async () => [], 2, 'an invitation is needed'],
    ['a file that is not there', async () => ['invitation.txt'], 2, 'neither an invitation'],
    ['an invitation that has ended', async () => [await textOf({ lasting: -1 })], 77, 'the invitation ended'],
    ['one whose grant is not signed by its owner', async () => [await forged()], 2, 'the invitation does not hold'],
    ['one that nobody agreed to', async () => [await textOf()], 65, 'use --yes to do it without being asked']
  ])('%s', async (_what, args, code, complaint) => {
    const outcome = await nunet(['join', ...(await args())])
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toContain(complaint)
    expect(await readdir(home)).toEqual([])
  })

  async function forged(): Promise<string> {
    const invitation = await invitationOf()
    const { grant } = await invitationOf({ signer: machine })
    return encodeInvitation({ ...invitation, grant: { ...invitation.grant, signature: grant.signature } })
  }

  test('one that a person declined', async () => {
    const { code, stderr } = await nunet(['join', await textOf()], { answers: ['n'] })
    expect(code).toBe(65)
    expect(stderr).toContain(`send bids to this machine, as ${machine.did}; nothing else`)
    expect(await readdir(home)).toEqual([])
  })

  test('one for somebody else', async () => {
    await makeMachine()
    const { code, stderr } = await take(await textOf({ to: owner.did, depth: 2n }))
    expect(code).toBe(2)
    expect(stderr).toContain(`the invitation is for ${owner.did}; user is `)
    expect(await contextOf('dms')).toMatchObject({ require: [], provide: [] })
    expect((await readdir(home)).sort()).toEqual(['.nunet'])
  })

  test('one that cannot be passed on to a machine', async () => {
    await makeMachine()
    expect((await take(await textOf({ depth: 1n }))).code).not.toBe(0)
    expect(await contextOf('dms')).toMatchObject({ require: [], provide: [] })
    expect(await contextOf('user')).toMatchObject({ require: [], provide: [] })
  })

  test('any, where another DMS answers than that of this user', async () => {
    const { code, stderr } = await take(await textOf())
    expect(code).toBe(65)
    expect(stderr).toContain(`another DMS (${own.did}) answers`)
    expect(await contextOf('dms')).toMatchObject({ require: [], provide: [] })
  })

  test('any, with a service that does not obey the user', async () => {
    await node.close()
    node = await startFakeNode(() => undefined, generateKeyPair())
    const { code, stderr } = await take(await textOf(), {}, '--service')
    expect(code).toBe(65)
    expect(stderr).toContain('does not obey did:key:')
    expect(await readdir(join(home, '.nunet/cap'))).toEqual(['user.cap'])
  })
})

test('nunet join enters the network of the inviting machine with a machine that it makes, and with no other', async () => {
  const text = await textOf({ network: { network: 'acme', topic_prefix: '/acme' } })
  await makeMachine()
  const { code, stderr } = await take(text)
  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(stderr).toContain('p2p.network   acme')
  const path = join(home, '.nunet/dms_config.json')
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ p2p: { network: 'acme', topic_prefix: '/acme' } })
  expect((await take(text)).code).toBe(0)
  const other = await take(await textOf({ network: { network: 'other' } }))
  expect(other.code).toBe(65)
  expect(other.stderr).toContain('is in the network other, this one in acme')
  expect((await contextOf('dms')).provide).toHaveLength(1)
})

describe('nunet join', () => {
  beforeEach(makeMachine)

  test('takes exactly what was given, and lets in nothing but bids of that machine', async () => {
    const { code, stderr } = await take(await textOf())
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const [user, dms] = [await contextOf('user'), await contextOf('dms')]
    expect(dms.require).toMatchObject([
      { issuer: user.did, subject: machine.did, capabilities: ['/dms/deployment/bid'], topics: [], depth: 1n }
    ])
    expect(dms.roots).toEqual([user.did])
    const [token] = dms.provide
    if (token === undefined) throw new Error('the machine got nothing')
    expect(linksOf(token).map(({ subject, depth }) => [subject, depth])).toEqual([
      [dms.did, 1n],
      [user.did, 2n],
      [expect.stringMatching(/^did:key:z6Mk/), 3n]
    ])
    expect(token).toMatchObject({ capabilities: INVITED_CAPABILITIES, topics: ['/nunet/deployment'] })
    expect(user).toMatchObject({ require: [], provide: [{ subject: user.did }] })
    const config = JSON.parse(await readFile(join(home, '.nunet/dms_config.json'), 'utf8')) as {
      readonly p2p: { readonly bootstrap_peers: readonly string[] }
    }
    expect(config.p2p.bootstrap_peers).toContain(address)
    const calls = node.seen.map(({ envelope }) => envelope.behavior)
    expect(calls.slice(-3)).toEqual(['/dms/cap/reload', '/dms/node/peers/connect', '/public/hello'])
  })

  test('takes it once, however often it is told to', async () => {
    const text = await textOf()
    await take(text)
    const before = [await contextOf('user'), await contextOf('dms')]
    expect((await take(text)).code).toBe(0)
    expect([await contextOf('user'), await contextOf('dms')]).toEqual(before)
  })

  test('takes one for this user, who needs no secret for it', async () => {
    await nunet(['cap', 'new', 'user'])
    const { did } = await contextOf('user')
    await writeFile(join(home, 'invitation.txt'), `${await textOf({ to: did as Did, depth: 2n })}\n`)
    expect((await take('invitation.txt')).code).toBe(0)
    expect((await contextOf('user')).provide).toMatchObject([{ issuer: owner.did, subject: did }])
    expect((await contextOf('dms')).provide).toHaveLength(1)
  })

  test('reads it from stdin, or from a terminal that does not show it', async () => {
    expect((await take('-', { input: await textOf() })).code).toBe(0)
    const typed = await nunet(['join'], { answers: [await textOf(), 'y'] })
    expect(typed.code).toBe(0)
    expect((await contextOf('dms')).provide).toHaveLength(2)
  })

  test('lets bids in for a year at most, however long the invitation holds', async () => {
    await take(await textOf({ lasting: 24 * 3650 }))
    const [trust] = (await contextOf('dms')).require
    expect((trust?.expiresAt ?? 0n) < toNanos(millis(systemClock.now() + hours(24 * 367)))).toBe(true)
  })

  test('keeps what it took when the other machine is away, and says so', async () => {
    answer = (behavior) => (behavior === '/dms/node/peers/connect' ? { Status: 'ERROR', Error: 'no route' } : {})
    const { code, stderr } = await take(await textOf())
    expect(code).toBe(69)
    expect(stderr).toContain('the invitation is taken, but the inviting machine does not answer (no route)')
    expect((await contextOf('dms')).provide).toHaveLength(1)
  })
})

test('nunet join --service has a service of this computer that obeys the user take the anchors itself', async () => {
  answer = (behavior) => (behavior === '/dms/cap/list' ? { OK: true, Provide: {} } : {})
  const { code, stderr } = await take(await textOf(), {}, '--service')
  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(stderr).toContain('add to p2p.bootstrap_peers of its configuration')
  expect(await readdir(join(home, '.nunet/cap'))).toEqual(['user.cap'])
  const [anchors] = node.seen.filter(({ envelope }) => envelope.behavior === '/dms/cap/anchor')
  expect(anchors?.payload).toMatchObject({
    Require: { tok: [{ dms: { sub: { uri: machine.did }, cap: ['/dms/deployment/bid'] } }] },
    Provide: { tok: [{ dms: { sub: { uri: own.did } } }] }
  })
})
