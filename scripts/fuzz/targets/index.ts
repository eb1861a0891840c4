import type { FuzzTarget } from '../target.ts'
import { createTokenTarget } from './token.ts'

/** Every target by name, made when it is wanted. */
export const TARGETS: Readonly<Record<string, () => FuzzTarget>> = {
  token: createTokenTarget
}
