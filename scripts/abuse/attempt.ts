/** What one attempt achieved, and whether that is contained. */
export interface Attempt {
  /** A sentence about what is tried: `reads the memory of the provider`. */
  readonly name: string
  /** Kind of the executor that it was tried on. */
  readonly executor: string
  readonly isContained: boolean
  /** What the job, or the look at the machine, said; one line. */
  readonly evidence: string
  /** Known not to be contained on machines like this one, and why; an attempt that is contained all the same is a surprise. */
  readonly knownGap?: string
}

/** One attempt of several within one job: a line of shell that prints `ESCAPED` when it got what it wanted. */
export interface Probe {
  readonly name: string
  readonly script: string
  readonly knownGap?: string
}

/** A line for people of what came: no line breaks, not too long. */
export function brief(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > 160 ? `${line.slice(0, 157)}…` : line
}
