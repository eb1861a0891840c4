import { encodeGoJson } from '../base/index.ts'

/**
 * How a node is, in words that everybody may read: the interface asks nobody who they are.
 *
 * Names only: no address, no peer, no reason.
 */
export interface Health {
  /** Everything is started and what ran before is taken up again. */
  readonly isStarted: boolean
  /** The parts that a node cannot do without, and whether each works. */
  readonly parts: Readonly<Record<string, boolean>>
  /** Whether other nodes are connected. One without them works, alone. */
  readonly hasPeers: boolean
  /** The executors that work; a node without any deploys to others. */
  readonly executors: readonly string[]
}

/** One answer. */
export interface HealthAnswer {
  readonly status: number
  readonly body: string
}

/** `/health`, as clients of the reference know it: 200 and `ok` once commands are answered (B §8). */
export function healthAnswer({ isStarted }: Health): HealthAnswer {
  return answer(isStarted ? 200 : 503, { status: isStarted ? 'ok' : 'starting' })
}

/** `/health/live`: the process answers. */
export function liveAnswer(): HealthAnswer {
  return answer(200, { status: 'ok' })
}

/** `/health/ready`: 200 when every part works, else 503 with the names of those that do not. */
export function readyAnswer({ isStarted, parts, hasPeers, executors }: Health): HealthAnswer {
  const failing = Object.entries(parts).flatMap(([name, works]) => (works ? [] : [name]))
  const isReady = isStarted && failing.length === 0
  const status = isReady ? 'ready' : isStarted ? 'impaired' : 'starting'
  return answer(isReady ? 200 : 503, { status, failing, peers: hasPeers ? 'connected' : 'none', executors })
}

function answer(status: number, body: Parameters<typeof encodeGoJson>[0]): HealthAnswer {
  return { status, body: encodeGoJson(body) }
}
