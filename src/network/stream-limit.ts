import type { Stream, StreamMuxer } from '@libp2p/interface'
import type { Libp2pOptions } from 'libp2p'

/** Makes a muxer factory out of the parts of a node. */
export type Muxer = NonNullable<Libp2pOptions['streamMuxers']>[number]

/**
 * Bounds the streams that all peers together have open at this node (B §5.1): one too many is reset at once, those that are open go
 * on. Each may hold a receive window of memory, whatever becomes of it.
 */
export function limitStreams(muxer: Muxer, limit: number): Muxer {
  let open = 0

  function admit(stream: Stream): boolean {
    if (open >= limit) {
      stream.abort(new Error(`${open} streams are open already`))
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
      createStreamMuxer: (connection) => guard(factory.createStreamMuxer(connection), admit)
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
