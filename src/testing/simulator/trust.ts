import { hours, millis, toNanos } from '../../base/index.ts'
import { generateKeyPair, type KeyPair } from '../../identity/index.ts'
import { type Anchor, type ContextFile, createContext, type Token } from '../../ucan/index.ts'
import { createNodeContext } from './node.ts'
import type { SimulatedNode } from './simulated-node.ts'
import { WORLD_START, type World } from './world.ts'
import type { WorldVerifier } from './world-verifier.ts'

/** What members of a simulated network may do at each other's nodes. */
export const GUEST_CAPABILITIES: readonly string[] = ['/public', '/broadcast', '/dms/deployment']
export const GUEST_TOPICS: readonly string[] = ['/nunet']

/** A grant of one owner to another, or to all members of an organization. */
export interface Grant {
  /** The node where it counts. */
  readonly at: SimulatedNode
  /** Who may use it; undefined: every node of the world. */
  readonly guest: SimulatedNode | undefined
  readonly token: Token
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
}

/** Who trusts whom from the beginning. */
export interface Trust {
  readonly grants: readonly Grant[]
}

/** Up to so many nodes every owner grants every other one; more of them trust an organization. */
const LARGEST_CIRCLE = 25

const LIFE_MS = hours(24 * 30)

/** Share of grants in a circle that are missing, and that end in the middle of the run. */
const MISSING = 0.05
const SHORT = 0.1

/** Gives every node its context with the anchors of its owner; nothing of it needs a running node. */
export async function establishTrust(world: World, nodes: readonly SimulatedNode[], verifier: WorldVerifier): Promise<Trust> {
  const chance = world.chance.fork('trust')
  const random = chance.fork('nonces')
  const grantOf = (issuer: KeyPair, subject: string, expiresAt: number): Promise<Token> =>
    createContext({ signer: issuer, random }).grant({
      subject,
      capabilities: GUEST_CAPABILITIES,
      topics: GUEST_TOPICS,
      expiresAt: toNanos(millis(expiresAt))
    })
  const far = WORLD_START + LIFE_MS
  const organization = nodes.length > LARGEST_CIRCLE ? verifier.witness(generateKeyPair(chance)) : undefined
  const grants: Grant[] = []
  for (const node of nodes) {
    const anchors: Anchor[] = [{ kind: 'root', did: node.user.did }]
    if (organization !== undefined) {
      const token = await grantOf(node.user, organization.did, far)
      grants.push({ at: node, guest: undefined, token, expiresAt: far })
      anchors.push({ kind: 'require', token }, { kind: 'provide', token: await grantOf(organization, node.key.did, far) })
    } else {
      for (const guest of nodes) {
        if (guest === node || chance.happens(MISSING)) continue
        const expiresAt = chance.happens(SHORT) ? WORLD_START + chance.between(1, 20) * hours(1) : far
        const token = await grantOf(node.user, guest.user.did, expiresAt)
        grants.push({ at: node, guest, token, expiresAt })
        anchors.push({ kind: 'require', token })
      }
      anchors.push({ kind: 'provide', token: await grantOf(node.user, node.key.did, far) })
    }
    await anchorAll(await createNodeContext(world, node, verifier), anchors, world.now())
  }
  return { grants }
}

async function anchorAll(file: ContextFile, anchors: readonly Anchor[], now: number): Promise<void> {
  await file.update((context) => {
    for (const anchor of anchors) {
      const added = context.anchor(anchor, millis(now))
      if (!added.ok) throw new Error(`${file.context.did} cannot anchor: ${added.error.message}`)
    }
  })
}
