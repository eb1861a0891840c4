import type { Stream, StreamMuxer } from '@libp2p/interface'
import type { Libp2pOptions } from 'libp2p'
import { type BudgetSize, type Clock, createBudget } from '../base/index.ts'

/** Makes a muxer factory out of the parts of a node. */
export type Muxer = NonNullable<Libp2pOptions['streamMuxers']>[number]

/** How many streams one connection may open: a peer that sends each message on a stream of its own stays below. */
const OF_ONE: BudgetSize = { capacity: 500, perSecond: 1000 }

/** How many all may open: as many as are negotiated in a fraction of a second, so that everything else still has its turn. */
const OF_ALL: BudgetSize = { capacity: 200, perSecond: 800 }

/** One for all: a stack for each would cost more than the refusal. */
const REFUSED = new Error('too many streams are open, or were opened within a moment')

/** What one connection may open however much the others do. */
const RESERVED: BudgetSize = { capacity: 4, perSecond: 4 }

/** How many streams of one connection are refused one by one; a peer that goes on is cut off, which costs less than its refusals. */
const REFUSALS: BudgetSize = { capacity: 12, perSecond: 4 }

/**
 * Bounds the streams that all peers together have open at this node (B §5.1), and how fast they are opened: one too many is reset at
 * once, before anything is negotiated on it, and those that are open go on. Each may hold a receive window of memory, whatever
 * becomes of it. A connection on which dozens were reset within a moment is closed: its peer may dial again.
 */
export function limitStreams(muxer: Muxer, { limit, clock }: { readonly limit: number; readonly clock: Clock }): Muxer {
  let open = 0
  const all = createBudget(clock, OF_ALL)

  function admit(stream: Stream, mayOpen: () => boolean): boolean {
    if (open >= limit || !mayOpen()) {
      stream.abort(REFUSED)
      return false
    }
    open += 1
    const closed = (): void => {
      open -= 1
    }
    stream.addEventListener('close', closed, { once: true })
    return true
  }

  return (components) => {
    const factory = muxer(components)
    return {
      protocol: factory.protocol,
      createStreamMuxer(connection) {
        const [own, reserved] = [createBudget(clock, OF_ONE), createBudget(clock, RESERVED)]
        const refusals = createBudget(clock, REFUSALS)
        const mayOpen = (): boolean => own.take() && (all.take() || reserved.take())
        return guard(factory.createStreamMuxer(connection), (stream) => {
          if (connection.status !== 'open') return false
          if (admit(stream, mayOpen)) return true
          if (!refusals.take()) connection.abort(new Error('too many streams were refused'))
          return false
        })
      }
    }
  }
}

/**
 * Lets a muxer announce only streams that are admitted. It keeps streams back until somebody listens, so that the one listener, which is
 * the node's, is wrapped and none is added.
 */
function guard(muxer: StreamMuxer, admit: (stream: Stream) => boolean): StreamMuxer {
  const listen: typeof muxer.addEventListener = muxer.addEventListener.bind(muxer)
  muxer.addEventListener = (name, listener, options) => {
    const admitted: typeof listener = (event) => {
      if (!admit(event.detail)) return
      if (typeof listener === 'function') listener(event)
      else listener?.handleEvent(event)
    }
    listen(name, admitted, options)
  }
  return muxer
}
