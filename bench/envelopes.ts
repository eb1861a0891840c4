import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { systemClock } from '../src/base/index.ts'
import { publicStatus } from '../src/protocol/index.ts'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, computed, type Subject } from './support/compare.ts'
import { type Dms, isBuilt, loadDms } from './support/dms.ts'
import { createLink, type Link } from './support/link.ts'
import { createActors } from './support/systems.ts'

const ROUNDS = 15
/** Envelopes, and raw verifications, of one measurement. */
const BATCH = 150
/** What the yardstick verifies; its length hardly matters beside the curve. */
const RAW_MESSAGE_BYTES = 256

/** How many raw Ed25519 verifications one envelope costs its receiver, in processor time. */
export const envelopes: Benchmark = {
  name: 'envelopes',
  title: 'Envelope verification (token chain of three links) to raw Ed25519 verifications',
  unit: 'ms',
  available: isBuilt,
  async run(): Promise<Outcome> {
    const dms = await loadDms()
    const link = await createLink(dms)
    const makeFrames = await createFrameMaker(dms, link)
    const comparison = await compare(
      rawVerification(),
      [knownCaller(dms, link, makeFrames), repeats(dms, link, makeFrames), newCaller(dms, link, makeFrames)],
      ROUNDS
    )
    return { ...comparison, notes: [await describeFrame(dms, makeFrames)] }
  }
}

function rawVerification(): Subject {
  const { privateKey } = generateKeyPairSync('ed25519')
  const publicKey = createPublicKey(privateKey)
  const signed = Array.from({ length: BATCH }, () => {
    const message = randomBytes(RAW_MESSAGE_BYTES)
    return { message, signature: sign(null, message, privateKey) }
  })
  return {
    name: 'one verification by node:crypto with a kept key',
    measure: async () =>
      computed(BATCH, () => {
        for (const { message, signature } of signed) insist(verify(null, message, publicKey, signature))
      })
  }
}

/** The ordinary case: nonce and signature are new, the tokens are not. */
function knownCaller(dms: Dms, link: Link, makeFrames: FrameMaker): Subject {
  const accepts = createReceiver(dms, link)
  return {
    name: 'envelope of a caller whose chain is known',
    async measure() {
      const frames = await makeFrames(BATCH)
      return computed(BATCH, () => {
        for (const frame of frames) insist(accepts(frame))
      })
    }
  }
}

/** What is refused before any signature is looked at. */
function repeats(dms: Dms, link: Link, makeFrames: FrameMaker): Subject {
  const accepts = createReceiver(dms, link)
  return {
    name: 'the same envelope again, which is refused',
    async measure() {
      const frames = await makeFrames(BATCH)
      for (const frame of frames) insist(accepts(frame))
      return computed(BATCH, () => {
        for (const frame of frames) insist(!accepts(frame))
      })
    }
  }
}

/** The worst case: neither the chain nor any key in it was met before. */
function newCaller(dms: Dms, link: Link, makeFrames: FrameMaker): Subject {
  return {
    name: 'first envelope of a caller, nothing known',
    async measure() {
      const meetings = (await makeFrames(BATCH)).map((frame) => ({ frame, accepts: createReceiver(dms, link) }))
      return computed(BATCH, () => {
        for (const { frame, accepts } of meetings) insist(accepts(frame))
      })
    }
  }
}

/** A receiver that has met nobody yet: says whether a frame is accepted. */
function createReceiver({ actor, reader, replay, identity }: Dms, { caller, receiver }: Link): (frame: Uint8Array) => boolean {
  const { key } = receiver
  const environment = {
    own: actor.handleOf(key, key.did, key.peerId, actor.ROOT_INBOX),
    ownId: key.actorId,
    context: receiver.context(),
    replays: replay.createReplayWindow(),
    verifier: identity.createVerifier(),
    reader: reader.createEnvelopeReader(),
    capabilitiesOf: (behavior: string) => [behavior]
  }
  return (frame) => actor.verifyFrame(frame, caller.key.peerId, systemClock.now(), environment).ok
}

/** Makes frames as the caller sends them; no two share nonce or signature. */
type FrameMaker = (count: number) => Promise<readonly Uint8Array[]>

async function createFrameMaker(dms: Dms, { caller, receiver }: Link): Promise<FrameMaker> {
  let frames: Uint8Array[] = []
  const { root } = createActors(dms, caller, {
    peerId: caller.key.peerId,
    send: async (_host, _inbox, frame) => void frames.push(frame),
    listen: () => () => undefined,
    publish: async () => undefined,
    subscribe: async () => async () => undefined
  })
  const { did, peerId } = receiver.key
  const to = dms.actor.handleOf(receiver.key, did, peerId, dms.actor.ROOT_INBOX)
  return async (count) => {
    frames = []
    for (let index = 0; index < count; index += 1) {
      await root.send(to, publicStatus, null)
    }
    return frames
  }
}

async function describeFrame({ actor }: Dms, makeFrames: FrameMaker): Promise<string> {
  const [frame = new Uint8Array()] = await makeFrames(1)
  const envelope = actor.decodeEnvelope(frame)
  if (!envelope.ok) throw new Error(`the frame of a request cannot be read: ${envelope.error.message}`)
  return `processor time; a frame has ${frame.length} bytes, its list of two tokens ${envelope.value.capabilities.length} before base64`
}

/** Refusals are cheap: one that went unnoticed would flatter. */
function insist(isAccepted: boolean): void {
  if (!isAccepted) throw new Error('what should be accepted was refused')
}
