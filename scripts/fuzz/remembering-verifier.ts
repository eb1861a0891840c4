import type { SignatureVerifier } from '../../src/ucan/index.ts'

/** Answers that are remembered. */
const MAX_ANSWERS = 10_000

/** The same answers, but each only asked for once: the properties look at one signature many times. */
export function createRememberingVerifier(verifier: SignatureVerifier): SignatureVerifier {
  const answers = new Map<string, boolean>()
  return {
    verify(did, message, signature) {
      const question = `${did} ${Buffer.from(signature).toString('base64')} ${Buffer.from(message).toString('latin1')}`
      const known = answers.get(question)
      if (known !== undefined) return known
      if (answers.size >= MAX_ANSWERS) answers.clear()
      const answer = verifier.verify(did, message, signature)
      answers.set(question, answer)
      return answer
    }
  }
}
