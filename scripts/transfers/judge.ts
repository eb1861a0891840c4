import type { TransferReport } from './transfers.ts'

/** Of an object that is sent on after each kill; from its beginning it would be 1.4. */
const MOST_SENT = 1.25
/** MiB; what libraries, buffers and the heap take however large the object is. */
const MOST_GROWTH = 200

/** What is wrong with a report; nothing when all is well. */
export function judgeTransfer({ status, error, isSame, size, sent, taken, growth, left }: TransferReport): readonly string[] {
  const wrong: string[] = []
  if (status !== 'Completed') wrong.push(`the deployment is ${status}: ${error}`)
  if (!isSame) wrong.push('what came back is not what was sent')
  if (sent > size * MOST_SENT) wrong.push(`the object was fetched again: ${sent} bytes of ${size}`)
  if (taken > size * MOST_SENT) wrong.push(`the outputs were published again: ${taken} bytes of ${size}`)
  for (const [who, mebibytes] of Object.entries(growth)) {
    if (mebibytes > MOST_GROWTH) wrong.push(`the memory of the ${who} grew by ${mebibytes} MiB`)
  }
  return [...wrong, ...left.map((text) => `left behind: ${text}`)]
}
