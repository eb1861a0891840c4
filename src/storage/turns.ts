import { createSerialQueue, type SerialQueue } from '../base/index.ts'

/** Runs work one after another for each id, and at once for different ones. */
export type InTurn = <T>(id: string, work: () => Promise<T>) => Promise<T>

/** Creates an {@link InTurn}; nothing is kept of ids that have no work. */
export function createTurns(): InTurn {
  const queues = new Map<string, SerialQueue>()
  return async (id, work) => {
    const queue = queues.get(id) ?? createSerialQueue()
    queues.set(id, queue)
    try {
      return await queue.run(work)
    } finally {
      if (queue.size === 0) queues.delete(id)
    }
  }
}
