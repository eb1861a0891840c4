/**
 * Does something that the signal can end, but only until it is done.
 *
 * A socket of Node follows the signal that its dial was given for as long as it lives: a time limit of the dial would cut the
 * connection later.
 */
export async function untilDone<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const follow = (): void => controller.abort(signal.reason)
  signal.addEventListener('abort', follow, { once: true })
  try {
    return await work(controller.signal)
  } finally {
    signal.removeEventListener('abort', follow)
  }
}
