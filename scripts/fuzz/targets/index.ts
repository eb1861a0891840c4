import type { FuzzTarget } from '../target.ts'
import { createConfigTarget } from './config.ts'
import { createContextTarget } from './context.ts'
import { createDidTarget } from './did.ts'
import { createEnvelopeTarget } from './envelope.ts'
import { createKeyFileTarget } from './keyfile.ts'
import { createTokenTarget } from './token.ts'

/** Every target by name, made when it is wanted. */
export const TARGETS: Readonly<Record<string, () => FuzzTarget>> = {
  token: createTokenTarget,
  context: createContextTarget,
  keyfile: createKeyFileTarget,
  did: createDidTarget,
  config: createConfigTarget,
  envelope: createEnvelopeTarget
}
