import type { Handle, VerifiedEnvelope } from '../../actor/index.ts'
import type { LogFields } from '../../base/index.ts'
import type { RecordChange } from '../../db/index.ts'
import type { RunHandle } from '../../executor/index.ts'
import type { FrameHead } from './frame-head.ts'
import type { SimulatedNode } from './simulated-node.ts'

/** One run of a handler. */
export interface HandlerRun {
  readonly node: SimulatedNode
  /** The actor that was asked. */
  readonly actor: Handle
  readonly behavior: string
  readonly request: unknown
  readonly envelope: VerifiedEnvelope
}

/** How a handler ended; neither when it deliberately said nothing. */
export type HandlerOutcome = { readonly reply: unknown } | { readonly error: unknown }

/** One frame on its way, or arrived. */
export interface Frame {
  /** Peer ids; `to` is `#` and a topic for broadcasts. */
  readonly from: string
  readonly to: string
  /** Where it arrives; `''` for broadcasts, and when it is sent. */
  readonly inbox: string
  readonly bytes: Uint8Array
  /** Undefined for what no honest node would send. */
  readonly head: FrameHead | undefined
  /** Whether a hostile peer has sent it. */
  readonly isHostile: boolean
}

/**
 * What an invariant gets to see. It looks at what nodes do from outside, never by asking the code that it checks; each method is
 * called at the moment when it happens, before anything follows from it.
 */
export interface Observer {
  started?(node: SimulatedNode): void
  stopped?(node: SimulatedNode): void
  /** Records are on the disk now. */
  committed?(node: SimulatedNode, changes: readonly RecordChange[]): void
  /** The capability context of a node is on the disk now. */
  contextSaved?(node: SimulatedNode, text: string): void
  handlerStarts?(run: HandlerRun): void
  handlerEnds?(run: HandlerRun, outcome: HandlerOutcome): void
  frameSent?(frame: Frame): void
  /** Runs around what a host does with a frame at once. */
  frameArrives?(frame: Frame): void
  /** `refusal` says why it was refused; empty when it was taken, or when nobody said. */
  frameHandled?(frame: Frame, refusal: string): void
  runStarting?(node: SimulatedNode, id: string, isNew: boolean): void
  runStopping?(node: SimulatedNode, handle: RunHandle): void
  runRemoving?(node: SimulatedNode, handle: RunHandle): void
  logged?(node: SimulatedNode, level: 'warn' | 'error', message: string, fields: LogFields): void
  /** Nothing has gone wrong for long, and everything that had to end has been asked to. */
  settled?(nodes: readonly SimulatedNode[]): void
}

/** One observer for several; each is told in order, also those that are added to the list later. */
export function combineObservers(observers: readonly Observer[]): Required<Observer> {
  const each =
    <Name extends keyof Observer>(name: Name): NonNullable<Observer[Name]> =>
    (...args: readonly unknown[]) => {
      for (const observer of observers) (observer[name] as ((...args: readonly unknown[]) => void) | undefined)?.(...args)
    }
  return {
    started: each('started'),
    stopped: each('stopped'),
    committed: each('committed'),
    contextSaved: each('contextSaved'),
    handlerStarts: each('handlerStarts'),
    handlerEnds: each('handlerEnds'),
    frameSent: each('frameSent'),
    frameArrives: each('frameArrives'),
    frameHandled: each('frameHandled'),
    runStarting: each('runStarting'),
    runStopping: each('runStopping'),
    runRemoving: each('runRemoving'),
    logged: each('logged'),
    settled: each('settled')
  }
}
