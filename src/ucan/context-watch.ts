import { type Clock, errorMessage, type Logger, type Service, seconds } from '../base/index.ts'
import { fileStamp } from '../db/index.ts'
import type { AnchorCounts, ContextFile, ContextReload } from './types.ts'

/** How often the file is looked at: soon enough for who just copied it there, cheap enough to go on for months. */
const POLL_INTERVAL = seconds(5)

/** The cause that nobody asked for: it says nothing when nothing is new. */
const POLLED = 'the file has changed'

/** Keeps the context of a running daemon the same as its file. */
export interface ContextWatch extends Service {
  /**
   * Reads the file anew and logs what changed, also when nothing did: somebody wants to know.
   *
   * @param cause - Why, for the log: `SIGHUP`, `asked to`.
   * @throws as {@link ContextFile.reload}; that is logged too.
   */
  reload(cause: string): Promise<ContextReload>
}

/** What {@link createContextWatch} needs. */
export interface ContextWatchOptions {
  readonly file: Pick<ContextFile, 'path' | 'reload' | 'notices'>
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Creates the watch over a context file.
 *
 * It polls instead of listening to the kernel: that also sees files that are replaced, copied over, mounted or made anew. A file
 * that cannot be used is reported once for each of its states, and the context stays as it was.
 */
export function createContextWatch({ file, clock, log }: ContextWatchOptions): ContextWatch {
  const lifetime = new AbortController()
  let seen: string | undefined
  let complaint = ''
  let noticed = file.notices.map(({ message }) => message).join('\n')
  let polling: Promise<void> = Promise.resolve()

  function report(reload: ContextReload, cause: string): void {
    const [added, removed] = [describeCounts(reload.added), describeCounts(reload.removed)]
    if (cause !== POLLED || complaint !== '' || added !== '' || removed !== '') {
      log.info('capability context read anew', { cause, added: added || 'nothing', removed: removed || 'nothing' })
    }
    const notices = reload.notices.map(({ message }) => message).join('\n')
    if (notices !== noticed) for (const { message } of reload.notices) log.warn(message, { path: file.path })
    noticed = notices
    complaint = ''
  }

  async function reload(cause: string): Promise<ContextReload> {
    const stamp = await fileStamp(file.path)
    try {
      const result = await file.reload()
      report(result, cause)
      seen = stamp
      return result
    } catch (error) {
      const message = `${stamp ?? ''} ${errorMessage(error)}`
      if (cause !== POLLED || message !== complaint) {
        log.error('the capability context was not read anew; the one from before stays in use', {
          cause,
          path: file.path,
          error: errorMessage(error)
        })
      }
      complaint = message
      throw error
    }
  }

  async function poll(): Promise<void> {
    while (!lifetime.signal.aborted) {
      await clock.sleep(POLL_INTERVAL, { signal: lifetime.signal })
      try {
        if ((await fileStamp(file.path)) !== seen || complaint !== '') await reload(POLLED)
      } catch {
        // reported by reload; looked at again the next time
      }
    }
  }

  return {
    name: 'context watch',
    reload,
    start() {
      polling = poll().catch(() => undefined) // only the sleep rejects, when the watch is stopped
      return Promise.resolve()
    },
    async stop() {
      lifetime.abort()
      await polling
    }
  }
}

/** `roots: 2, require: 1`; empty when all are 0. */
function describeCounts(counts: AnchorCounts): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${kind}: ${count}`)
    .join(', ')
}
