import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSecret, systemClock, toNanos } from '../../base/index.ts'
import { summarizeContext } from '../../doctor/index.ts'
import { createKeystore, createVerifier, generateKeyPair } from '../../identity/index.ts'
import { implies, verifyToken } from '../../ucan/index.ts'
import { type CallOptions, call, type FakeNode, type Outcome, startFakeNode } from '../fixtures.ts'
import type { Invitation } from '../invitations/invitation.ts'
import { parseInvitation } from '../invitations/text.ts'

const machine = generateKeyPair()
const GUEST = generateKeyPair().did
const at = (host: string): string => `${host}/tcp/9000/p2p/${machine.peerId}`

let home = ''
let node: FakeNode
/** What the node says of its addresses, question by question. */
let addresses: string[]

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-invite-'))
  addresses = [at('/ip4/203.0.113.7')]
  const next = (): string => (addresses.length > 1 ? (addresses.shift() ?? '') : (addresses[0] ?? ''))
  node = await startFakeNode(
    ({ envelope }) => (envelope.behavior.endsWith('/self') ? { id: '', listen_addr: next() } : {}),
    machine
  )
  const keystore = createKeystore({ directory: join(home, '.nunet/key'), kdf: { n: 2, r: 1, p: 1 } })
  await keystore.save('dms', machine, createSecret('secret'))
  for (const name of ['user', 'dms']) await nunet(['cap', 'new', name])
})
afterEach(async () => {
  await node.close()
  await rm(home, { recursive: true })
})

const nunet = (argv: readonly string[], options?: CallOptions): Promise<Outcome> =>
  call(home, ['--rest-port', String(node.port), ...argv], options)

async function invited(...argv: readonly string[]): Promise<Invitation> {
  const { code, stdout, stderr } = await nunet(['invite', ...argv])
  if (code !== 0) throw new Error(stderr)
  const invitation = parseInvitation(stdout)
  if (!invitation.ok) throw new Error(invitation.error.message)
  return invitation.value
}

const listed = async () => JSON.parse((await nunet(['invite', '--list', '--json'])).stdout) as readonly { readonly id: string }[]

describe('nunet invite refuses', () => {
  test.each<[readonly string[], number, string]>([
    [['--to', 'somebody'], 2, '--to must be a DID'],
    [['--duration', '0s'], 2, 'the duration must be more than 0'],
    [['--expiry', '2020-01-01'], 2, 'has passed'],
    [['--expiry', '2030-01-01', '--duration', '1h'], 2, 'duration'],
    [['--note', 'x'.repeat(201)], 2, 'at most 200 are kept'],
    [['--revoke', 'abcdef01'], 66, 'no open invitation has the id abcdef01'],
    [['--list', '--revoke', 'a'], 2, 'list']
  ])('%j', async (argv, code, complaint) => {
    const outcome = await nunet(['invite', ...argv])
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toContain(complaint)
    expect(await readdir(join(home, '.nunet/cap'))).toEqual(['dms.cap', 'user.cap'])
  })

  test('a DMS that is not of this user, unless it is told that it is a service', async () => {
    await rm(join(home, '.nunet/cap/dms.cap'))
    const { code, stdout, stderr } = await nunet(['invite'])
    expect({ code, stdout }).toEqual({ code: 65, stdout: '' })
    expect(stderr).toContain(`another DMS (${machine.did}) answers`)
    expect((await invited('--service')).machine).toBe(machine.did)
  })

  test('when no DMS runs: nobody knows where it could be reached', async () => {
    const { code, stderr } = await call(home, ['--rest-port', '1', 'invite'])
    expect(code).toBe(69)
    expect(stderr).toContain('cannot reach the DMS')
  })
})

describe('nunet invite', () => {
  test('prints one line, with a grant that holds and gives what a deployer needs, for a day', async () => {
    const { invited: guest, grant, machine: did, addresses: found } = await invited()
    expect({ type: guest.type, did, found }).toEqual({ type: 'bearer', did: machine.did, found: [at('/ip4/203.0.113.7')] })
    expect(grant).toMatchObject({ topics: ['/nunet/deployment'], depth: 3n })
    const allows = (capability: string): boolean => (grant.capabilities ?? []).some((granted) => implies(granted, capability))
    expect(['request', 'commit', 'allocate', 'revert'].every((step) => allows(`/dms/deployment/${step}`))).toBe(true)
    expect(allows('/public/hello')).toBe(true)
    expect(['/dms/deployment/bid', '/dms/deployment/list', '/dms/node/peers/list', '/dms/cap/list'].some(allows)).toBe(false)
    const now = systemClock.now()
    expect(verifyToken(grant, toNanos(now), { verifier: createVerifier() }).ok).toBe(true)
    const hoursLeft = Number(grant.expiresAt - toNanos(now)) / 3.6e12
    expect(Math.round(hoursLeft)).toBe(24)
  })

  test('for a DID has no secret, and one link less', async () => {
    const { invited: guest, grant } = await invited('--to', GUEST, '--expiry', '2099-01-01')
    expect(guest).toEqual({ type: 'named', did: GUEST })
    expect(grant).toMatchObject({ subject: GUEST, depth: 2n })
  })

  test('puts the addresses that work from anywhere first, and leaves out loopback', async () => {
    const relayed = `/ip4/198.51.100.1/tcp/1/p2p/${generateKeyPair().peerId}/p2p-circuit/p2p/${machine.peerId}`
    const [near, far] = [at('/ip4/192.168.0.7'), at('/ip4/203.0.113.7')]
    addresses = [[at('/ip4/127.0.0.1'), near, relayed, far, 'nonsense'].join(', ')]
    expect((await invited()).addresses).toEqual([far, relayed, near])
  })

  test('asks again until the machine knows an address that others can use', async () => {
    const far = at('/ip4/203.0.113.7')
    addresses = [at('/ip4/192.168.0.7'), far]
    expect((await invited()).addresses).toEqual([far])
  })

  test('warns when there is none, and does not wait longer than it is told', async () => {
    addresses = [at('/ip4/192.168.0.7')]
    const { code, stderr } = await nunet(['invite', '--wait', '1ms'])
    expect(code).toBe(0)
    expect(stderr).toContain('Warning: this machine has only addresses of its own network yet')
  })

  test('is listed with its note, in a private file, until it is revoked', async () => {
    await invited('--note', 'for Ana')
    await invited('--to', GUEST)
    const record = join(home, '.nunet/cap/user.invitations.jsonl')
    expect((await stat(record)).mode & 0o777).toBe(0o600)
    const table = (await nunet(['invite', '--list'])).stdout
    expect(table).toMatch(/^ID +AGE +LEFT +FOR +NOTE\n\w{8} +0s +23 h +whoever has the text +for Ana\n\w{8} .*did:key:\S+ *\n$/)
    const [first, second] = await listed()
    expect((await nunet(['invite', '--revoke', first?.id.slice(0, 6) ?? ''])).code).toBe(0)
    expect(await listed()).toEqual([second])
    const summary = summarizeContext(await readFile(join(home, '.nunet/cap/user.cap'), 'utf8'))
    expect(summary.ok ? summary.value.revoke : []).toHaveLength(1)
    const told = node.seen.map(({ envelope }) => envelope.behavior)
    expect(told.slice(-2)).toEqual(['/dms/cap/revoke/anchor', '/dms/cap/revoke/broadcast'])
  })

  test('that is revoked while no DMS runs is revoked in its context', async () => {
    await invited()
    const [open] = await listed()
    const { code, stderr } = await call(home, ['--rest-port', '1', 'invite', '--revoke', open?.id ?? ''])
    expect(code).toBe(0)
    expect(stderr).toContain('it uses the revocation from its next start on')
    const summary = summarizeContext(await readFile(join(home, '.nunet/cap/dms.cap'), 'utf8'))
    expect(summary.ok ? summary.value.revoke : []).toHaveLength(1)
  })
})
