import { createHash } from 'node:crypto'

/** What happened in a simulation, line by line, and its fingerprint. */
export interface Trace {
  /** Adds a line. `who` is a node or a part of the world, `at` milliseconds since the start. */
  line(at: number, who: string, text: string): void
  /** The last lines, oldest first. */
  recent(): readonly string[]
  /** SHA-256 over all lines so far, as hexadecimal text: equal for equal runs. */
  hash(): string
  readonly count: number
}

/** Lines that {@link Trace.recent} keeps. */
const RECENT_LINES = 40

/** Characters that are collected before they are hashed: one call for each line would cost more than the line. */
const BATCH_LENGTH = 16_384

/** Creates an empty trace; `print` sees every line. */
export function createTrace(print?: (line: string) => void): Trace {
  const hash = createHash('sha256')
  const ring: string[] = []
  let batch = ''
  let count = 0

  function flush(): void {
    hash.update(batch)
    batch = ''
  }

  return {
    line(at, who, text) {
      const line = `${formatTime(at)} ${who.padEnd(8)} ${text}`
      ring[count % RECENT_LINES] = line
      count += 1
      batch += `${line}\n`
      if (batch.length > BATCH_LENGTH) flush()
      print?.(line)
    },
    recent: () => [...ring.slice(count % RECENT_LINES), ...ring.slice(0, count % RECENT_LINES)],
    hash() {
      flush()
      return hash.copy().digest('hex')
    },
    get count() {
      return count
    }
  }
}

/** `04:07:09.012` for milliseconds since the start; days make the hours grow. */
export function formatTime(at: number): string {
  const whole = Math.floor(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  const [hours, minutes, seconds] = [
    Math.floor(whole / 3_600_000),
    Math.floor(whole / 60_000) % 60,
    Math.floor(whole / 1000) % 60
  ]
  return `${two(hours)}:${two(minutes)}:${two(seconds)}.${String(whole % 1000).padStart(3, '0')}`
}
