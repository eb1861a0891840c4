import type { Did } from '../identity/index.ts'
import type { Anchor, ContextFile, Token } from '../ucan/index.ts'
import { AnchorRefusedError } from './errors.ts'
import type { Io } from './io.ts'
import { note } from './output.ts'

/**
 * Adds all anchors to a context and saves it or, when one of them is refused, none; warns of those that will do nothing.
 *
 * @returns How many were not there before.
 * @throws AnchorRefusedError
 */
export async function addAnchors(file: ContextFile, anchors: readonly Anchor[], io: Io): Promise<number> {
  for (const warning of anchors.flatMap((candidate) => warningAbout(candidate, file.context.did))) await note(io, warning)
  const added = await file.update((context) =>
    anchors.filter((candidate) => {
      const result = context.anchor(candidate, io.clock.now())
      if (!result.ok) throw new AnchorRefusedError(`cannot anchor the token: ${result.error.message}`)
      return result.value === 'added'
    })
  )
  return added.length
}

/** Anchors that are allowed but do nothing, each of which has a documented way to happen (A §10.3, W26). */
function warningAbout(candidate: Anchor, own: Did): readonly string[] {
  if (candidate.kind === 'require' && isDelegationTo(own, candidate.token)) {
    return ['Warning: this token delegates to this context itself; to use it, anchor it with --provide instead of --require']
  }
  if (candidate.kind === 'provide' && candidate.token.subject !== own) {
    return [`Warning: this token was given to ${candidate.token.subject}, not to ${own}: this context cannot use it`]
  }
  return []
}

function isDelegationTo(own: Did, { subject, issuer }: Token): boolean {
  return subject === own && issuer !== own
}
