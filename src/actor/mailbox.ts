/** Bounds how much an actor does at once and how much may wait, in all and for each caller (B §3.2, §11.1, 11). */
export interface Mailbox {
  /** Runs the task of a caller when a place is free; false when too much waits already. */
  post(caller: string, task: () => Promise<void>): boolean
  /** Lets waiting tasks run; a mailbox begins held. */
  release(): void
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>
}

/** Bounds of a {@link Mailbox}. */
export interface MailboxLimits {
  readonly concurrency: number
  readonly waiting: number
  /** Tasks of one caller, running and waiting, so that nobody fills the whole mailbox. */
  readonly perCaller: number
}

/** Creates a held mailbox; tasks start in order of arrival, once it is released, and must not reject. */
export function createMailbox({ concurrency, waiting, perCaller }: MailboxLimits): Mailbox {
  const queue: { readonly caller: string; readonly task: () => Promise<void> }[] = []
  const callers = new Map<string, number>()
  let running = 0
  let isHeld = true
  let whenIdle: (() => void)[] = []

  function change(caller: string, by: number): void {
    const count = (callers.get(caller) ?? 0) + by
    if (count === 0) callers.delete(caller)
    else callers.set(caller, count)
  }

  function isIdle(): boolean {
    return running === 0 && (isHeld || queue.length === 0)
  }

  function next(): void {
    while (!isHeld && running < concurrency) {
      const entry = queue.shift()
      if (entry === undefined) break
      running += 1
      void entry.task().finally(() => {
        running -= 1
        change(entry.caller, -1)
        next()
      })
    }
    if (!isIdle()) return
    const waiters = whenIdle
    whenIdle = []
    for (const resolve of waiters) resolve()
  }

  return {
    post(caller, task) {
      if (queue.length >= waiting || (callers.get(caller) ?? 0) >= perCaller) return false
      change(caller, 1)
      queue.push({ caller, task })
      next()
      return true
    },
    release() {
      isHeld = false
      next()
    },
    idle: () => (isIdle() ? Promise.resolve() : new Promise((resolve) => whenIdle.push(resolve)))
  }
}
