import { createActorSystem, type Handle, handleOf, type MessageTransport, ROOT_INBOX, verifyFrame } from '../../src/actor/index.ts'
import { createReplayWindow } from '../../src/actor/replay.ts'
import { hours, millis, silentLogger, systemClock, systemRandom, toNanos } from '../../src/base/index.ts'
import { createVerifier, type Did, generateKeyPair, type KeyPair } from '../../src/identity/index.ts'
import { publicStatus } from '../../src/protocol/index.ts'
import { createCounters } from '../../src/telemetry/index.ts'
import { type Anchor, type CapabilityContext, createContext } from '../../src/ucan/index.ts'

/** A caller and a receiver that meet through an organization (A §10.3, 2): the chains that arrive have three links. */
export interface Link {
  /** Frames as the caller's actor system sends them for requests that want a reply; no two share nonce, leaf tokens or signature. */
  frames(count: number): Promise<readonly Uint8Array[]>
  /** A receiver that has met nobody yet: says whether a frame is accepted. */
  receiver(): (frame: Uint8Array) => boolean
}

/** Creates the keys, grants and anchors of a {@link Link}. */
export async function createLink(): Promise<Link> {
  const [organization, callerUser, receiverUser] = [generateKeyPair(), generateKeyPair(), generateKeyPair()]
  const [caller, receiver] = [generateKeyPair(), generateKeyPair()]
  const expiresAt = toNanos(millis(systemClock.now() + hours(24 * 30)))
  const powers = (subject: Did) => ({ subject, capabilities: ['/public', '/broadcast'], topics: ['/nunet'], expiresAt })
  const granted = await createContext({ signer: organization }).grant(powers(callerUser.did))
  const [provided] = await contextOf(callerUser, [{ kind: 'provide', token: granted }]).delegate(powers(caller.did), systemClock.now())
  if (provided === undefined) throw new Error('the user of the caller could not delegate')
  const required = await createContext({ signer: receiverUser }).grant(powers(organization.did))

  const context = contextOf(caller, [{ kind: 'provide', token: provided }])
  const own = handleOf(receiver, receiver.did, receiver.peerId, ROOT_INBOX)
  return {
    frames: (count) => captureFrames(caller, context, own, count),
    receiver() {
      const verifier = createVerifier()
      const environment = {
        own,
        ownId: receiver.actorId,
        context: contextOf(receiver, [
          { kind: 'root', did: receiverUser.did },
          { kind: 'require', token: required }
        ]),
        replays: createReplayWindow(),
        verifier,
        capabilitiesOf: (behavior: string) => [behavior]
      }
      return (frame) => verifyFrame(frame, caller.peerId, systemClock.now(), environment).ok
    }
  }
}

function contextOf(signer: KeyPair, anchors: readonly Anchor[]): CapabilityContext {
  const context = createContext({ signer })
  for (const anchor of anchors) {
    const added = context.anchor(anchor, systemClock.now())
    if (!added.ok) throw new Error(added.error.message)
  }
  return context
}

async function captureFrames(key: KeyPair, context: CapabilityContext, to: Handle, count: number): Promise<readonly Uint8Array[]> {
  const frames: Uint8Array[] = []
  const transport: MessageTransport = {
    peerId: key.peerId,
    send: async (_host, _inbox, frame) => void frames.push(frame),
    listen: () => () => undefined,
    publish: async () => undefined,
    subscribe: async () => async () => undefined
  }
  const actors = createActorSystem({
    key,
    context,
    transport,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    counters: createCounters()
  })
  for (let index = 0; index < count; index += 1) {
    await actors.root.send(to, publicStatus, null, { replyTo: `/dms/actor/replyto/${index}` })
  }
  return frames
}
