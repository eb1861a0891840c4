import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { decodeEnvelope } from '../src/actor/index.ts'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, computed, type Subject } from './support/compare.ts'
import { createLink, type Link } from './support/link.ts'

const ROUNDS = 15
/** Envelopes, and raw verifications, of one measurement. */
const BATCH = 200
/** What the yardstick verifies; its length hardly matters beside the curve. */
const RAW_MESSAGE_BYTES = 256

/** How many raw Ed25519 verifications one envelope costs its receiver. */
export const envelopes: Benchmark = {
  name: 'envelopes',
  title: 'Envelope verification (token chain of three links) to raw Ed25519 verifications',
  unit: 'ms',
  available: async () => true,
  async run(): Promise<Outcome> {
    const link = await createLink()
    const comparison = await compare(rawVerification(), [knownCaller(link), newCaller(link)], ROUNDS)
    return { ...comparison, notes: [await describeFrame(link)] }
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

/** The ordinary case: nonce, leaf tokens and signature are new, the ancestors of the tokens are not. */
function knownCaller(link: Link): Subject {
  const accepts = link.receiver()
  return {
    name: 'envelope of a caller whose chain is known',
    async measure() {
      const frames = await link.frames(BATCH)
      return computed(BATCH, () => {
        for (const frame of frames) insist(accepts(frame))
      })
    }
  }
}

/** The worst case: neither the chain nor any key in it was met before. */
function newCaller(link: Link): Subject {
  return {
    name: 'first envelope of a caller, nothing known',
    async measure() {
      const meetings = (await link.frames(BATCH)).map((frame) => ({ frame, accepts: link.receiver() }))
      return computed(BATCH, () => {
        for (const { frame, accepts } of meetings) insist(accepts(frame))
      })
    }
  }
}

async function describeFrame(link: Link): Promise<string> {
  const [frame] = await link.frames(1)
  const envelope = frame === undefined ? undefined : decodeEnvelope(frame)
  if (frame === undefined || envelope?.ok !== true) throw new Error('the frame of a request cannot be read')
  return `a frame has ${frame.length} bytes; its tokens, before base64, ${envelope.value.capabilities.length}`
}

/** Refusals are cheap, so one that went unnoticed would flatter. */
function insist(isAccepted: boolean): void {
  if (!isAccepted) throw new Error('what should be accepted was refused')
}
