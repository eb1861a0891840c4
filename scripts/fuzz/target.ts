import type { Chance } from './chance.ts'

/** What became of one input; `millis` is what the program took for it, where the checks themselves take much longer. */
export type Outcome = { readonly millis?: number } & (
  | { readonly accepted: true }
  | { readonly accepted: false; readonly reason: string }
)

/** The input was taken. */
export const ACCEPTED: Outcome = { accepted: true }

/** The input was refused; numbers, paths and quoted parts are cut out of the reason, so that like refusals are counted together. */
export function rejected(reason: string): Outcome {
  return { accepted: false, reason: classOf(reason) }
}

function classOf(reason: string): string {
  const shape = reason
    .slice(0, 400)
    .replace(/"(?:[^"\\]|\\.)*("|$)/g, '"…"')
    .replace(/\/[\w./-]+\.json\b/g, '…')
    .replace(/did:[a-zA-Z0-9:._%-]+/g, 'did:…')
    .replace(/\d[\d.:TZ-]*/g, 'N')
  return shape.length > 72 ? `${shape.slice(0, 72)}…` : shape
}

/** A property that must hold for every input does not. */
export class ViolationError extends Error {}

/** Says what must be true of every input. */
export function must(condition: boolean, property: string): asserts condition {
  if (!condition) throw new ViolationError(property)
}

/** Something that is fuzzed, ready to run. */
export interface FuzzSession {
  /** The next input. */
  make(chance: Chance): string
  /** Checks all properties for one input; whatever it throws is a finding. */
  check(input: string): Outcome | Promise<Outcome>
  /** How long an input may take; default {@link DEFAULT_LIMIT}. */
  limitMillis?(input: string): number
  dispose(): Promise<void>
}

/** A kind of input and how to fuzz it. */
export interface FuzzTarget {
  readonly name: string
  /** One line about what is checked. */
  readonly about: string
  /** Makes keys, chains and files from the seed. */
  open(chance: Chance): Promise<FuzzSession>
}

/** An input that takes longer is a hang, in milliseconds. */
export const DEFAULT_LIMIT = 250
