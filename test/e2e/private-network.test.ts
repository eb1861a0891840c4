import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LedgerEmulator, startLedgerEmulator } from '../../src/testing/index.ts'
import { createMachines, eventually, type Outcome, type TestMachine, type TestMachines } from '../support/machine.ts'

const SCOPE = ['--cap', '/public', '--cap', '/broadcast', '--topic', '/nunet', '--expiry', '2030-12-31']

/** A machine whose owner signs with a Ledger. */
interface Member {
  readonly machine: TestMachine
  /** `nunet …` with the Ledger plugged in; its stdout, trimmed. */
  nunet(...args: readonly string[]): Promise<string>
  readonly ownerDid: string
  /** The token that the organization gave to the owner. */
  readonly token: string
}

/** The quick start of the reference, on a network of an organization of our own. */
describe('a network of one organization', () => {
  let machines: TestMachines
  let organization: TestMachine
  let alice: Member
  let bob: Member
  let stranger: TestMachine
  const ledgers: LedgerEmulator[] = []

  beforeAll(async () => {
    machines = await createMachines()
    organization = await machines.create('organization')
    const own = await organization.succeed('cap', 'grant', '--context', 'user', ...SCOPE, organization.dms.did)
    await organization.succeed('cap', 'anchor', '--context', 'dms', '--provide', own)
    alice = await join('alice')
    bob = await join('bob')
    stranger = await machines.create('stranger')
    for (const machine of [organization, alice.machine, bob.machine, stranger]) await machine.start()
    for (const machine of [alice.machine, bob.machine, stranger]) await connect(machine, organization)
    await connect(bob.machine, alice.machine)
    await connect(stranger, alice.machine)
  })

  afterAll(async () => {
    await machines.dispose()
    for (const ledger of ledgers) await ledger.close()
  })

  /** Steps 1 to 3.3 of the quick start, the owner's key in a Ledger. */
  async function join(name: string): Promise<Member> {
    const ledger = await startLedgerEmulator({ seed: name })
    ledgers.push(ledger)
    const machine = await machines.create(name)
    const nunet = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await machine.nunet(args, { env: { DMS_LEDGER_SPECULOS: ledger.url } })
      if (code !== 0) throw new Error(`nunet ${args.join(' ').slice(0, 120)} ended with ${code}: ${stderr}`)
      return stdout.trim()
    }
    const ownerDid = await nunet('key', 'did', 'ledger')
    await nunet('cap', 'new', 'ledger:owner')
    await nunet('cap', 'remove', '--context', 'dms', '--root', machine.user.did)
    await nunet('cap', 'anchor', '--context', 'dms', '--root', ownerDid)
    const required = await nunet('cap', 'grant', '--context', 'ledger:owner', ...SCOPE, organization.user.did)
    await nunet('cap', 'anchor', '--context', 'dms', '--require', required)
    const token = await organization.succeed('cap', 'grant', '--context', 'user', ...SCOPE, ownerDid)
    await nunet('cap', 'anchor', '--context', 'ledger:owner', '--provide', token)
    const delegated = await nunet('cap', 'delegate', '--context', 'ledger:owner', ...SCOPE, machine.dms.did)
    await nunet('cap', 'anchor', '--context', 'dms', '--provide', delegated)
    return { machine, nunet, ownerDid, token }
  }

  async function connect(from: TestMachine, to: TestMachine): Promise<void> {
    const self = JSON.parse(await to.succeed('actor', 'cmd', '-c', 'dms', '/dms/node/peers/self')) as {
      readonly listen_addr: string
    }
    await from.succeed('actor', 'cmd', '-c', 'dms', '/dms/node/peers/connect', '--address', self.listen_addr.split(', ')[0] ?? '')
  }

  async function hello(from: TestMachine, to: TestMachine): Promise<Outcome> {
    return await from.nunet(['actor', 'cmd', '-c', 'dms', '-t', '4s', '/public/hello', '--dest', to.dms.peerId])
  }

  test('strangers get nothing', async () => {
    const { code, stdout, stderr } = await hello(stranger, alice.machine)
    expect(stderr).toContain('request timeout')
    expect([code, stdout]).toEqual([75, ''])
  })

  test('members call the public behaviours of each other', async () => {
    expect((await hello(alice.machine, bob.machine)).stdout).toContain(bob.machine.dms.did)
    expect((await hello(bob.machine, alice.machine)).stdout).toContain(alice.machine.dms.did)
  })

  test('the owner manages the node with the Ledger alone, and sees on it what is signed', async () => {
    const self = JSON.parse(await alice.nunet('actor', 'cmd', '-c', 'ledger:owner', '/dms/node/peers/self')) as {
      readonly id: string
    }
    expect(self.id).toBe(alice.machine.dms.peerId)
    const shown = (ledgers[0]?.shown ?? []).map((message) => Buffer.from(message).toString())
    const invocation = shown.find((text) => text.includes('"cap":["/dms/node/peers/self"]'))
    expect(invocation).toContain(`dms:token:{"act":"invoke","iss":{"uri":"${alice.ownerDid}"}`)
  })

  test('the token of a member says who gave what to whom', async () => {
    const { stdout } = await alice.machine.nunet(['cap', 'inspect', '-'], { input: alice.token })
    expect(stdout).toContain(alice.ownerDid)
    expect(stdout).toContain(organization.user.did)
  })

  test('whom the organization revokes is refused by all within seconds, without any restart', async () => {
    expect((await hello(bob.machine, alice.machine)).code).toBe(0)
    const started = Date.now()
    const revocation = await organization.succeed('cap', 'revoke', '--context', 'user', bob.token)
    await organization.succeed('cap', 'anchor', '--context', 'dms', '--revoke', revocation)
    await organization.succeed('cap', 'broadcast', '--context', 'dms')
    await eventually('the refusal', 30, async () => ((await hello(bob.machine, alice.machine)).code === 0 ? undefined : true))
    expect(Date.now() - started).toBeLessThan(20_000)
    const refused = await hello(bob.machine, alice.machine)
    expect(refused.stdout).toBe('')
    expect((await hello(alice.machine, organization)).code).toBe(0) // whose token holds goes on
    expect(alice.machine.daemon?.exitCode).toBeNull()
  })
})
