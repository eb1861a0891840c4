import type { Turns } from '../base/index.ts'
import type { ActorLimits } from './limits.ts'

/** One frame to be looked at. Neither function may throw; exactly one of them is called, once. */
export interface Piece {
  /** Bytes that wait with it. */
  readonly size: number
  /** Looks at it. */
  readonly work: () => void
  /** It was dropped instead: too much of its peer, or of all peers, waits already. */
  readonly drop: () => void
}

/**
 * Where frames wait to be verified, when there are more than one turn of the event loop has time for.
 *
 * Taken from one peer after another, so that a flood of one, or of a hundred, costs everybody else only their share; frames of this
 * node's own clients come first. While nothing waits and the turn has time, a frame is verified at once.
 */
export interface Intake {
  /** Does the work now or in its turn, or drops it. `peer` is who brought it, `undefined` for this node itself. */
  submit(peer: string | undefined, piece: Piece): void
  /** Pieces that wait. */
  readonly waiting: number
}

/** Own frames that are taken before the next peer has its turn, when both wait. */
const OWN_IN_A_ROW = 4

interface Queue {
  readonly pieces: Piece[]
  bytes: number
}

/** Creates an empty intake. */
export function createIntake(turns: Turns, limits: ActorLimits): Intake {
  const own: Queue = { pieces: [], bytes: 0 }
  /** The peer whose turn it is comes first. */
  const peers = new Map<string, Queue>()
  let bytesOfPeers = 0
  let waiting = 0
  let isDraining = false

  function enqueueOwn(piece: Piece): boolean {
    if (own.pieces.length >= limits.waitingOfOwn || own.bytes + piece.size > limits.waitingBytes) return false
    push(own, piece)
    return true
  }

  function enqueue(peer: string, piece: Piece): boolean {
    const queue = peers.get(peer) ?? { pieces: [], bytes: 0 }
    if (queue.pieces.length >= limits.waitingPerPeer || queue.bytes + piece.size > limits.waitingBytesPerPeer) return false
    if (!makeRoom(queue.bytes + piece.size, piece.size)) return false
    peers.set(peer, queue)
    push(queue, piece)
    bytesOfPeers += piece.size
    return true
  }

  /** Who waits with the most makes room for whoever would then still wait with less. */
  function makeRoom(wouldHold: number, size: number): boolean {
    while (bytesOfPeers + size > limits.waitingBytes) {
      const largest = [...peers.values()].reduce<Queue | undefined>(
        (a, b) => (a === undefined || b.bytes > a.bytes ? b : a),
        undefined
      )
      const last = largest !== undefined && largest.bytes > wouldHold ? largest.pieces.pop() : undefined
      if (largest === undefined || last === undefined) return false
      largest.bytes -= last.size
      bytesOfPeers -= last.size
      waiting -= 1
      last.drop()
    }
    return true
  }

  /** The next piece of the peer whose turn it is; the peer goes to the end. */
  function takeOfPeers(): Piece | undefined {
    const [first] = peers
    if (first === undefined) return undefined
    const [peer, queue] = first
    const piece = shift(queue)
    peers.delete(peer)
    if (queue.pieces.length > 0) peers.set(peer, queue)
    bytesOfPeers -= piece?.size ?? 0
    return piece
  }

  async function drain(): Promise<void> {
    let ownInARow = 0
    while (waiting > 0) {
      if (!turns.mayGoOn()) {
        await turns.next()
        continue
      }
      const isOwnTurn = own.pieces.length > 0 && (ownInARow < OWN_IN_A_ROW || peers.size === 0)
      ownInARow = isOwnTurn ? ownInARow + 1 : 0
      const piece = isOwnTurn ? shift(own) : takeOfPeers()
      if (piece === undefined) continue
      waiting -= 1
      piece.work()
    }
    isDraining = false
  }

  return {
    submit(peer, piece) {
      if (waiting === 0 && turns.mayGoOn()) {
        piece.work()
        return
      }
      if (!(peer === undefined ? enqueueOwn(piece) : enqueue(peer, piece))) {
        piece.drop()
        return
      }
      waiting += 1
      if (isDraining) return
      isDraining = true
      void turns.next().then(drain)
    },
    get waiting() {
      return waiting
    }
  }
}

function push(queue: Queue, piece: Piece): void {
  queue.pieces.push(piece)
  queue.bytes += piece.size
}

function shift(queue: Queue): Piece | undefined {
  const piece = queue.pieces.shift()
  queue.bytes -= piece?.size ?? 0
  return piece
}
