import { createHash, randomBytes } from 'node:crypto'
import { hours, millis, systemClock, toNanos } from '../../src/base/index.ts'
import type { Did, KeyPair } from '../../src/identity/index.ts'
import type { Anchor, CapabilityContext } from '../../src/ucan/index.ts'
import type { Dms } from './dms.ts'

/** One end of a {@link Link}. */
export interface Party {
  readonly key: KeyPair
  /** Another context of the same party; it remembers nothing of what others of them met. */
  context(): CapabilityContext
}

/**
 * A caller and a receiver that meet through an organization (A §10.3, 2): the organization granted to the caller's user, who
 * delegated to the caller, who invokes: three links. The receiver's user requires what the organization grants.
 */
export interface Link {
  readonly caller: Party
  readonly receiver: Party
}

/**
 * Creates the keys, grants and anchors of a {@link Link}.
 *
 * @param seed - 32 bytes from which all keys come, for links that two processes hold alike; default: fresh keys.
 */
export async function createLink({ identity, ucan }: Dms, seed: Uint8Array = randomBytes(32)): Promise<Link> {
  const keyOf = (name: string): KeyPair =>
    identity.keyPairFromSeed(Uint8Array.from(createHash('sha256').update(seed).update(name).digest()))
  const [organization, callerUser, receiverUser] = [
    keyOf('organization'),
    keyOf('user of the caller'),
    keyOf('user of the receiver')
  ]
  const [caller, receiver] = [keyOf('caller'), keyOf('receiver')]
  const expiresAt = toNanos(millis(systemClock.now() + hours(24)))
  const powers = (subject: Did) => ({ subject, capabilities: ['/public', '/broadcast'], topics: ['/nunet'], expiresAt })
  const contextOf = (signer: KeyPair, anchors: readonly Anchor[]): CapabilityContext => {
    const context = ucan.createContext({ signer })
    for (const anchor of anchors) {
      const added = context.anchor(anchor, systemClock.now())
      if (!added.ok) throw new Error(added.error.message)
    }
    return context
  }

  const granted = await contextOf(organization, []).grant(powers(callerUser.did))
  const user = contextOf(callerUser, [{ kind: 'provide', token: granted }])
  const [provided] = await user.delegate(powers(caller.did), systemClock.now())
  if (provided === undefined) throw new Error('the user of the caller could not delegate')
  const required = await contextOf(receiverUser, []).grant(powers(organization.did))
  return {
    caller: { key: caller, context: () => contextOf(caller, [{ kind: 'provide', token: provided }]) },
    receiver: { key: receiver, context: () => contextOf(receiver, [{ kind: 'require', token: required }]) }
  }
}
