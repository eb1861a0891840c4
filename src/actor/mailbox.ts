/** Bounds how much an actor does at once and how much may wait (B §3.2). */
export interface Mailbox {
  /** Runs the task when a place is free; false when too much waits already. */
  post(task: () => Promise<void>): boolean
  /** Lets waiting tasks run; a mailbox begins held. */
  release(): void
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>
}

/** Bounds of a {@link Mailbox}. */
export interface MailboxLimits {
  readonly concurrency: number
  readonly waiting: number
}

/** Creates a held mailbox; tasks start in order of arrival, once it is released, and must not reject. */
export function createMailbox({ concurrency, waiting }: MailboxLimits): Mailbox {
  const queue: (() => Promise<void>)[] = []
  let running = 0
  let isHeld = true
  let whenIdle: (() => void)[] = []

  function next(): void {
    while (!isHeld && running < concurrency) {
      const task = queue.shift()
      if (task === undefined) break
      running += 1
      void task().finally(() => {
        running -= 1
        next()
      })
    }
    if (running === 0 && (isHeld || queue.length === 0)) {
      const waiters = whenIdle
      whenIdle = []
      for (const resolve of waiters) resolve()
    }
  }

  return {
    post(task) {
      if (queue.length >= waiting) return false
      queue.push(task)
      next()
      return true
    },
    release() {
      isHeld = false
      next()
    },
    idle: () =>
      running === 0 && (isHeld || queue.length === 0) ? Promise.resolve() : new Promise((resolve) => whenIdle.push(resolve))
  }
}
