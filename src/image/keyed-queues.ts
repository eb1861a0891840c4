import { type AbortOptions, CancelledError, createSerialQueue, type SerialQueue } from '../base/index.ts'

/** Runs tasks of the same key one after another. */
export interface KeyedQueues {
  /** @throws CancelledError when the signal is aborted before the task has begun. */
  run<T>(key: string, task: () => Promise<T>, options?: AbortOptions): Promise<T>
}

/** Creates empty {@link KeyedQueues}; a key that nobody waits for takes no memory. */
export function createKeyedQueues(): KeyedQueues {
  const queues = new Map<string, SerialQueue>()
  return {
    run(key, task, { signal } = {}) {
      const queue = queues.get(key) ?? createSerialQueue()
      queues.set(key, queue)
      return new Promise((resolve, reject) => {
        let hasBegun = false
        const giveUp = (): void => {
          if (!hasBegun) reject(new CancelledError('waiting for another pull was cancelled'))
        }
        signal?.addEventListener('abort', giveUp, { once: true })
        const done = queue.run(async () => {
          if (signal?.aborted === true) throw new CancelledError('waiting for another pull was cancelled')
          hasBegun = true
          return await task()
        })
        done.then(resolve, reject).finally(() => {
          signal?.removeEventListener('abort', giveUp)
          if (queue.size === 0) queues.delete(key)
        })
      })
    }
  }
}
