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

/** Creates the keys, grants and anchors of a {@link Link}. */
export async function createLink({ identity, ucan }: Dms): Promise<Link> {
  const [organization, callerUser, receiverUser] = [
    identity.generateKeyPair(),
    identity.generateKeyPair(),
    identity.generateKeyPair()
  ]
  const [caller, receiver] = [identity.generateKeyPair(), identity.generateKeyPair()]
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
