import {
  decodeEnvelope,
  EMPTY_HANDLE,
  type Envelope,
  encodeEnvelope,
  type Handle,
  handleOf,
  ROOT_INBOX,
  rootHandleOf,
  signedBytes
} from '../../actor/index.ts'
import { fromUtf8, hours, millis, minutes, toNanos, utf8 } from '../../base/index.ts'
import { type Did, generateKeyPair, type KeyPair } from '../../identity/index.ts'
import { createContext, encodeTokenList, type Token, signedBytes as tokenBytes } from '../../ucan/index.ts'
import type { Chance } from './chance.ts'
import type { SimulatedNetwork } from './network.ts'
import type { Frame } from './observer.ts'
import type { SimulatedNode } from './simulated-node.ts'
import { GUEST_CAPABILITIES } from './trust.ts'
import type { World } from './world.ts'

/** What a hostile peer has and does. */
export interface HostilePeer {
  readonly key: KeyPair
  /** Shows it a frame that it may have overheard. */
  overhear(frame: Frame): void
}

/** What {@link startHostilePeer} needs. */
export interface HostilePeerOptions {
  readonly world: World
  readonly nodes: readonly SimulatedNode[]
  readonly network: SimulatedNetwork
  readonly name: string
  readonly end: number
}

/** Share of all frames that are overheard, and how many of them are kept. */
const OVERHEARD = 0.03
const KEPT_FRAMES = 64

/** Share of overheard frames that are followed by an attack while they have not expired yet. */
const AT_ONCE = 0.2

/** Mean pause between two attacks, and frames of one attack. */
const PAUSE_MS = minutes(20)
const BURST = 3

/** What every attacker would like to do. */
const WISHES: readonly string[] = [
  '/dms/node/onboarding/offboard',
  '/dms/node/deployment/new',
  '/dms/cap/list',
  '/dms/deployment/request',
  '/dms/deployment/revert',
  '/public/hello'
]

/** Frames that are no envelopes at all. */
const GARBAGE: readonly Uint8Array[] = [
  new Uint8Array(),
  utf8('null'),
  utf8('{}'),
  utf8('['.repeat(10_000)),
  utf8(`{"to":${'{"id":'.repeat(200)}`),
  utf8('{"to":null,"be":null,"from":null,"nonce":null,"opt":null,"msg":null,"cap":null,"sig":null}'),
  new Uint8Array(4096).fill(0xff)
]

interface Attacker {
  readonly options: HostilePeerOptions
  readonly chance: Chance
  readonly key: KeyPair
  readonly overheard: readonly Frame[]
}

/** Lets a peer without any right attack until `end`: none of its frames may have an effect. */
export function startHostilePeer(options: HostilePeerOptions): HostilePeer {
  const { world, nodes, network, name, end } = options
  const chance = world.chance.fork(name)
  const key = generateKeyPair(chance)
  const overheard: Frame[] = []
  network.add(
    key.peerId,
    nodes.map((node) => node.key.peerId)
  )

  async function attack(): Promise<void> {
    const kind = chance.pick(Object.keys(ATTACKS))
    world.note(name, `tries: ${kind}`)
    for (let count = chance.between(1, BURST); count > 0; count -= 1) {
      await ATTACKS[kind]?.({ options, chance, key, overheard })
    }
  }

  async function keepAttacking(): Promise<void> {
    for (;;) {
      await world.sleep(chance.gap(PAUSE_MS))
      if (world.now() >= end) return
      await attack()
    }
  }

  void keepAttacking()
  return {
    key,
    overhear(frame) {
      if (world.now() >= end || !chance.happens(OVERHEARD)) return
      overheard.push(frame)
      if (overheard.length > KEPT_FRAMES) overheard.shift()
      if (chance.happens(AT_ONCE)) world.after(chance.between(1, 2000), () => void attack())
    }
  }
}

type Attack = (attacker: Attacker) => Promise<void>

const ATTACKS: Readonly<Record<string, Attack>> = {
  async 'repeat what was overheard'(attacker) {
    const frame = direct(attacker)
    if (frame !== undefined) inject(attacker, frame, frame.bytes)
  },
  async 'cut what was overheard'(attacker) {
    const frame = direct(attacker)
    if (frame === undefined) return
    inject(attacker, frame, frame.bytes.slice(0, attacker.chance.between(0, frame.bytes.length - 1)))
  },
  async 'flip bits'(attacker) {
    const frame = direct(attacker)
    if (frame === undefined) return
    const bytes = frame.bytes.slice()
    for (let count = attacker.chance.between(1, 3); count > 0; count -= 1) {
      const at = attacker.chance.between(0, bytes.length - 1)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << attacker.chance.between(0, 7))
    }
    inject(attacker, frame, bytes)
  },
  async 'change a member'(attacker) {
    const frame = direct(attacker)
    const envelope = frame === undefined ? undefined : decode(frame)
    if (frame === undefined || envelope === undefined) return
    inject(attacker, frame, frameOf(changed(envelope, attacker)))
  },
  async 'put own signatures under words of others'(attacker) {
    const frame = direct(attacker)
    const envelope = frame === undefined ? undefined : decode(frame)
    if (frame === undefined || envelope === undefined) return
    const from = own(attacker, envelope.from.did)
    inject(attacker, frame, frameOf(await sealed({ ...envelope, from, nonce: envelope.nonce + 1n }, attacker.key)))
  },
  async 'forge a reply'(attacker) {
    const frame = direct(attacker)
    const envelope = frame === undefined ? undefined : decode(frame)
    if (frame === undefined || envelope === undefined || envelope.replyTo === '') return
    const { from, replyTo } = envelope
    const reply = { ...envelope, to: from, from: own(attacker, envelope.to.did), behavior: replyTo, replyTo: '' }
    inject(attacker, { to: from.host, inbox: from.inbox }, frameOf(await sealed(reply, attacker.key)))
  },
  async 'ask as a stranger'(attacker) {
    await ask(attacker, [])
  },
  async 'forge a grant of the owner'(attacker) {
    const victim = attacker.chance.pick(attacker.options.nodes)
    const grant = await forged(attacker, victim)
    await ask(attacker, [grant], victim)
  },
  async 'use a grant that has ended'(attacker) {
    const victim = attacker.chance.pick(attacker.options.nodes)
    const { world } = attacker.options
    const context = createContext({ signer: victim.user, random: attacker.chance })
    const expiresAt = toNanos(millis(world.now() - hours(1)))
    const grant = await context.grant({ subject: attacker.key.did, capabilities: GUEST_CAPABILITIES, expiresAt })
    await ask(attacker, [grant], victim)
  },
  async 'use the grants of others'(attacker) {
    const frame = direct(attacker)
    const envelope = frame === undefined ? undefined : decode(frame)
    const victim = attacker.options.nodes.find(({ key }) => key.peerId === frame?.to)
    if (envelope === undefined || victim === undefined) return
    await ask(attacker, [], victim, envelope.capabilities)
  },
  async 'send what is no envelope'(attacker) {
    const to = attacker.chance.pick(attacker.options.nodes).key.peerId
    inject(attacker, { to, inbox: ROOT_INBOX }, attacker.chance.pick(GARBAGE))
  },
  async 'broadcast what was changed'(attacker) {
    const frame = attacker.overheard.findLast(({ to }) => to.startsWith('#'))
    const envelope = frame === undefined ? undefined : decode(frame)
    if (envelope === undefined) return
    const bytes = frameOf(changed(envelope, attacker))
    attacker.options.network.injectBroadcast(attacker.key.peerId, envelope.topic, bytes)
  },
  async 'broadcast as a stranger'(attacker) {
    const { chance, options, key } = attacker
    const behavior = chance.pick(['/dms/deployment/request', '/broadcast/hello', '/broadcast/revocation'])
    const topic =
      { '/dms/deployment/request': '/nunet/deployment', '/broadcast/hello': '/nunet/hello' }[behavior] ?? '/nunet/revocation'
    const expiresAt = toNanos(millis(options.world.now() + 30_000))
    const context = createContext({ signer: key, random: chance })
    const now = millis(options.world.now())
    const tokens = await context.presentBroadcast({ subject: key.actorId, topic, expiresAt, capabilities: [behavior], now })
    const envelope = draft(attacker, {
      to: EMPTY_HANDLE,
      behavior,
      topic,
      expiresAt,
      capabilities: utf8(encodeTokenList(tokens))
    })
    options.network.injectBroadcast(key.peerId, topic, frameOf(await sealed(envelope, key)))
  }
}

/** A frame to one inbox that was overheard. */
function direct({ overheard, chance }: Attacker): (Frame & { readonly inbox: string }) | undefined {
  const frames = overheard.filter(({ to }) => !to.startsWith('#'))
  if (frames.length === 0) return undefined
  const frame = chance.happens(0.7) ? frames.at(-1) : chance.pick(frames)
  if (frame === undefined) return undefined
  return { ...frame, inbox: frame.head?.toInbox ?? ROOT_INBOX }
}

function inject(
  { options, key }: Attacker,
  { to, inbox }: { readonly to: string; readonly inbox: string },
  bytes: Uint8Array
): void {
  options.network.inject(key.peerId, to, inbox, bytes)
}

function decode(frame: Frame): Envelope | undefined {
  const envelope = decodeEnvelope(frame.bytes)
  return envelope.ok ? envelope.value : undefined
}

/** The envelope with one member changed and the old signature. */
function changed(envelope: Envelope, { chance, key, options }: Attacker): Envelope {
  const victim = rootOf(chance.pick(options.nodes))
  const changes: readonly Partial<Envelope>[] = [
    { behavior: chance.pick(WISHES) },
    { nonce: envelope.nonce + 1n },
    { expiresAt: envelope.expiresAt + toNanos(millis(hours(1))) },
    { from: { ...envelope.from, host: key.peerId } },
    { to: { ...victim, inbox: envelope.to.inbox } },
    { replyTo: '/private/user/1' },
    { payload: utf8('{"ID":"x"}') },
    { capabilities: new Uint8Array() },
    { capabilities: utf8(fromUtf8(envelope.capabilities).replace('"cap":["/', '"cap":["/dms","/')) },
    { signature: new Uint8Array(64) }
  ]
  const change = chance.pick(changes)
  const name = Object.keys(change)[0] as keyof Envelope
  const isSame = JSON.stringify(change[name], plain) === JSON.stringify(envelope[name], plain)
  return isSame ? { ...envelope, nonce: envelope.nonce + 2n } : { ...envelope, ...change }
}

function plain(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

/** Asks a node for something, with grants on which own tokens are built, or with tokens as they are. */
async function ask(attacker: Attacker, grants: readonly Token[], victim?: SimulatedNode, stolen?: Uint8Array): Promise<void> {
  const { chance, options, key } = attacker
  const target = victim ?? chance.pick(options.nodes)
  const behavior = chance.pick(WISHES)
  const now = millis(options.world.now())
  const expiresAt = toNanos(millis(now + 30_000))
  const context = createContext({ signer: key, random: chance })
  const request = {
    target: target.key.did,
    subject: key.actorId,
    audience: target.key.actorId,
    expiresAt,
    invoke: [behavior],
    now
  }
  const presented = await context.present(request)
  const built = grants.map(
    (chain): Token => ({ ...(presented[0] as Token), chain, issuer: key.did, signature: new Uint8Array() })
  )
  const tokens = [...(await Promise.all(built.map((token) => signToken(token, key)))), ...presented]
  const capabilities = stolen ?? utf8(encodeTokenList(tokens))
  const envelope = draft(attacker, { to: rootOf(target), behavior, expiresAt, capabilities, replyTo: '/dms/actor/replyto/1' })
  inject(attacker, { to: target.key.peerId, inbox: ROOT_INBOX }, frameOf(await sealed(envelope, key)))
}

/** A grant that claims to come from the owner of a node. */
async function forged({ chance, key, options }: Attacker, victim: SimulatedNode): Promise<Token> {
  const context = createContext({ signer: key, random: chance })
  const expiresAt = toNanos(millis(options.world.now() + hours(1)))
  const grant = await context.grant({ subject: key.did, capabilities: ['/dms', '/public'], expiresAt })
  return signToken({ ...grant, issuer: victim.user.did }, key)
}

async function signToken(token: Token, key: KeyPair): Promise<Token> {
  return { ...token, signature: await key.sign(tokenBytes(token)) }
}

function draft(attacker: Attacker, members: Partial<Envelope> & Pick<Envelope, 'to' | 'behavior' | 'expiresAt'>): Envelope {
  const nonce = BigInt(attacker.options.world.now()) * 1_000_000n + BigInt(attacker.chance.between(0, 999_999))
  return {
    from: own(attacker, attacker.key.did),
    nonce,
    replyTo: '',
    topic: '',
    payload: new Uint8Array(),
    capabilities: new Uint8Array(),
    signature: new Uint8Array(),
    ...members
  }
}

function own({ key }: Attacker, did: string): Handle {
  return handleOf(key, did as Did, key.peerId, ROOT_INBOX)
}

function rootOf(node: SimulatedNode): Handle {
  const handle = rootHandleOf(node.key.publicKey)
  return handle.ok ? handle.value : EMPTY_HANDLE
}

async function sealed(envelope: Envelope, key: KeyPair): Promise<Envelope> {
  return { ...envelope, signature: await key.sign(signedBytes({ ...envelope, signature: new Uint8Array() })) }
}

function frameOf(envelope: Envelope): Uint8Array {
  return utf8(encodeEnvelope(envelope))
}
