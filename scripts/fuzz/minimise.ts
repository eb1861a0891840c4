/** Tries of one minimisation; enough to bring a token of a kilobyte down to its core. */
export const DEFAULT_TRIES = 400

/** Takes parts out of an input for as long as it stays `interesting`: halves first, then smaller ones. */
export async function minimise(
  input: string,
  interesting: (input: string) => Promise<boolean>,
  maxTries: number = DEFAULT_TRIES
): Promise<string> {
  let best = input
  let tries = 0
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length && tries < maxTries; ) {
      const shorter = best.slice(0, at) + best.slice(at + size)
      tries += 1
      if (await interesting(shorter)) best = shorter
      else at += size
    }
  }
  return best
}
