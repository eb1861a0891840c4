import { errorMessage, isJsonObject, type JsonValue, seconds, withTimeout } from '../base/index.ts'
import { createSession } from '../client/index.ts'
import type { CapabilityContext } from '../ucan/index.ts'
import { clientOf, placeOf } from './clients.ts'
import type { Flags } from './command.ts'
import type { Io } from './io.ts'
import { note } from './output.ts'
import { loadSettings } from './settings.ts'

/** How long a running DMS may take: a command that has done its work does not wait for a node that hangs. */
const PATIENCE = seconds(3)

/**
 * Has the DMS that runs with this context read its file anew, and says on stderr what came of it.
 *
 * Nothing is said, and nothing signed, when no DMS listens where the configuration says, or when it has another DID: its context
 * is not the one that was changed. Never fails: what the command was asked to do is done already.
 */
export async function tellRunningDms(context: CapabilityContext, flags: Flags, io: Io): Promise<void> {
  const { config } = await loadSettings(flags, io)
  const client = clientOf(config, io)
  const place = placeOf(config)
  try {
    const handle = await withTimeout(io.clock, PATIENCE, 'asking for the handle', (signal) => client.handle({ signal }))
    if (handle.did !== context.did) return
  } catch {
    return // nobody listens there, or something else than a DMS
  }
  try {
    const session = createSession({ client, context, clock: io.clock, random: io.random })
    const reply = await withTimeout(io.clock, PATIENCE, 'the reload', (signal) =>
      session.invoke({ behavior: '/dms/cap/reload', payload: null, timeout: PATIENCE }, { signal })
    )
    await note(io, `The running DMS at ${place} uses it now${describe(reply)}`)
  } catch (error) {
    await note(
      io,
      `Warning: the DMS at ${place} did not confirm that it uses the change (${errorMessage(error)}); restart it to be sure. The DMS of the reference takes it over at: kill -USR1 <its process id>`
    )
  }
}

/** What the DMS found in the file that it does not use. */
function describe(reply: JsonValue): string {
  const notices = isJsonObject(reply) ? reply['Notices'] : undefined
  return Array.isArray(notices) && notices.length > 0 ? ` (${notices.length} entries of the file are not usable)` : ''
}
