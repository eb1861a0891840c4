import { type Handle, rootHandleOf } from '../../src/actor/index.ts'
import { hours, millis, systemClock, toNanos } from '../../src/base/index.ts'
import { generateKeyPair, importKeyPair, publicKeyOfPeerId } from '../../src/identity/index.ts'
import { createContext, encodeTokenList, parseTokenList } from '../../src/ucan/index.ts'
import type { TestMachine } from '../../test/support/machine.ts'
import type { Speaker } from './envelopes.ts'

/** What attackers know of the node that they attack. */
export interface Target {
  /** With `/p2p/<peer id>`. */
  readonly address: string
  readonly peerId: string
  readonly restPort: number
  /** A private key in hexadecimal and a token list: somebody whom the owner lets call public behaviours. */
  readonly member: { readonly key: string; readonly tokens: string }
}

/** Describes a running machine, and makes a member of its network that attackers may use. */
export async function describeTarget(machine: TestMachine): Promise<Target> {
  const { listen_addr } = await machine.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
  const address = listen_addr.split(', ').find((text) => text.includes('/tcp/') && !text.includes('/ws'))
  if (address === undefined) throw new Error(`the node listens on no TCP address: ${listen_addr}`)
  const member = generateKeyPair()
  const token = await createContext({ signer: machine.user }).grant({
    subject: member.did,
    capabilities: ['/public', '/broadcast'],
    topics: ['/nunet'],
    expiresAt: toNanos(millis(systemClock.now() + hours(1)))
  })
  return {
    address,
    peerId: machine.dms.peerId,
    restPort: machine.restPort,
    member: { key: Buffer.from(member.exportPrivate()).toString('hex'), tokens: encodeTokenList([token]) }
  }
}

/** The handle of the node’s root actor. */
export function handleOfTarget({ peerId }: Target): Handle {
  const key = publicKeyOfPeerId(peerId)
  const handle = key.ok ? rootHandleOf(key.value) : key
  if (!handle.ok) throw new Error(handle.error.message)
  return handle.value
}

/** The member that attackers may use. */
export function memberOf({ member }: Target): Speaker {
  const key = importKeyPair(Buffer.from(member.key, 'hex'))
  const tokens = parseTokenList(member.tokens)
  if (!key.ok || !tokens.ok) throw new Error('the member of the target cannot be read')
  const context = createContext({ signer: key.value })
  for (const token of tokens.value) {
    const added = context.anchor({ kind: 'provide', token }, systemClock.now())
    if (!added.ok) throw new Error(added.error.message)
  }
  return { key: key.value, context }
}

/** Somebody whom nobody knows. */
export function createStranger(): Speaker {
  const key = generateKeyPair()
  return { key, context: createContext({ signer: key }) }
}
