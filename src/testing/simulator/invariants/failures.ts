import type { Observer } from '../observer.ts'
import type { World } from '../world.ts'

/** Log lines that tell of a mistake in the program, whatever was done to it from outside. */
const MISTAKES: ReadonlySet<string> = new Set(['housekeeping ended', 'probing ended', 'cannot subscribe'])

/** What a disk without room is called by those who could not write. */
const FULL = /were not written|no space left/

/** No handler fails for a reason that the program does not know, and no part of a node gives up. */
export function failuresInvariant(world: World): Observer {
  return {
    logged(node, level, message, fields) {
      if (level !== 'error') return
      const reason = typeof fields['error'] === 'string' ? fields['error'] : ''
      world.note(node.name, `log: ${message}: ${reason.split('\n')[0] ?? ''}`)
      const isMistake = MISTAKES.has(message) || (message === 'handler failed' && !FULL.test(reason))
      if (isMistake) world.violate('failure', `${node.name}: ${message}: ${reason}`)
    }
  }
}
