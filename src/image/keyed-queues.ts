import { createSerialQueue, type SerialQueue } from '../base/index.ts'

/** Runs tasks of the same key one after another. */
export interface KeyedQueues {
  run<T>(key: string, task: () => Promise<T>): Promise<T>
}

/** Creates empty {@link KeyedQueues}; a key that nobody waits for takes no memory. */
export function createKeyedQueues(): KeyedQueues {
  const queues = new Map<string, SerialQueue>()
  return {
    async run(key, task) {
      const queue = queues.get(key) ?? createSerialQueue()
      queues.set(key, queue)
      try {
        return await queue.run(task)
      } finally {
        if (queue.size === 0) queues.delete(key)
      }
    }
  }
}
