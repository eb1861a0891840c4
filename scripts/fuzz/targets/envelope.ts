import { decodeEnvelope, encodeEnvelope, hasValidSignature, MAX_ENVELOPE_BYTES, signedBytes } from '../../../src/actor/index.ts'
import { fromUtf8, utf8 } from '../../../src/base/index.ts'
import { createVerifier } from '../../../src/identity/index.ts'
import actorVectors from '../../../test/vectors/actor.json' with { type: 'json' }
import vectors from '../../../test/vectors/identity.json' with { type: 'json' }
import { mutateJson } from '../mutate-json.ts'
import { mutateText } from '../mutate-text.ts'
import { ACCEPTED, type FuzzTarget, must, type Outcome, rejected } from '../target.ts'

type Verifier = Parameters<typeof hasValidSignature>[1]

/** What is fuzzed; a test puts a broken verifier in its place. */
export interface EnvelopeSubject {
  readonly verifier: Verifier
}

/** Envelopes of messages: reading never throws, what is read re-encodes to the same signed bytes, no altered envelope is genuine. */
export function createEnvelopeTarget(subject: EnvelopeSubject = { verifier: createVerifier() }): FuzzTarget {
  return {
    name: 'envelope',
    about: 'envelopes of messages: no altered envelope has a valid signature',
    async open() {
      const edgeCases = actorVectors.envelope_edge_cases.items.map((item) => item.envelope_json)
      const texts = [
        ...actorVectors.envelopes.map((item) => item.envelope_json),
        ...edgeCases,
        vectors.envelope.json,
        vectors.envelope.nilMsgShape,
        vectors.envelope.emptyMsgBroadcastShape
      ]
      const genuine = new Set(
        texts
          .map((text) => decodeEnvelope(text))
          .flatMap((envelope) => (envelope.ok ? [fromUtf8(signedBytes(envelope.value))] : []))
      )
      return {
        make(chance) {
          const choice = chance.int(16)
          const text = chance.pick(texts)
          return choice === 0 ? text : choice < 7 ? mutateText(text, chance, texts) : mutateJson(text, chance, texts)
        },
        check: (text) => checkEnvelope(text, genuine, subject.verifier),
        dispose: async () => undefined
      }
    }
  }
}

function checkEnvelope(text: string, genuine: ReadonlySet<string>, verifier: Verifier): Outcome {
  const envelope = decodeEnvelope(utf8(text))
  if (!envelope.ok) return rejected(`${envelope.error.path} ${envelope.error.message}`)
  must(Buffer.byteLength(text) <= MAX_ENVELOPE_BYTES, 'an envelope is at most 1 MiB')
  const again = decodeEnvelope(encodeEnvelope(envelope.value))
  must(again.ok, 'what was encoded is read again')
  const bytes = fromUtf8(signedBytes(envelope.value))
  must(fromUtf8(signedBytes(again.value)) === bytes, 'encoding and reading again keeps the signed bytes')
  if (!hasValidSignature(envelope.value, verifier)) return rejected('bad signature')
  must(genuine.has(bytes), 'no altered envelope has a valid signature')
  return ACCEPTED
}
