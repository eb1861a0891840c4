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
  /** Tasks of one caller that run at once: whose tasks hang leaves places to others. Default as many as run in all. */
  readonly runningPerCaller?: number
  /** Tasks of one caller, running and waiting, so that nobody fills the whole mailbox. */
  readonly perCaller: number
}

interface Entry {
  readonly caller: string
  readonly task: () => Promise<void>
}

/**
 * Creates a held mailbox; tasks start in order of arrival, once it is released, and must not reject. A task whose caller has all its
 * places waits while later ones of others run.
 */
export function createMailbox({ concurrency, waiting, perCaller, runningPerCaller = concurrency }: MailboxLimits): Mailbox {
  const queue: Entry[] = []
  const callers = new Map<string, { posted: number; running: number }>()
  let running = 0
  let isHeld = true
  let whenIdle: (() => void)[] = []

  function isIdle(): boolean {
    return running === 0 && (isHeld || queue.length === 0)
  }

  function takeNext(): Entry | undefined {
    const index = queue.findIndex(({ caller }) => (callers.get(caller)?.running ?? 0) < runningPerCaller)
    return index < 0 ? undefined : queue.splice(index, 1)[0]
  }

  function start({ caller, task }: Entry): void {
    running += 1
    const count = callers.get(caller) ?? { posted: 1, running: 0 }
    count.running += 1
    void task().finally(() => {
      running -= 1
      count.running -= 1
      count.posted -= 1
      if (count.posted === 0) callers.delete(caller)
      next()
    })
  }

  function next(): void {
    while (!isHeld && running < concurrency) {
      const entry = takeNext()
      if (entry === undefined) break
      start(entry)
    }
    if (!isIdle()) return
    const waiters = whenIdle
    whenIdle = []
    for (const resolve of waiters) resolve()
  }

  return {
    post(caller, task) {
      const count = callers.get(caller) ?? { posted: 0, running: 0 }
      if (queue.length >= waiting || count.posted >= perCaller) return false
      count.posted += 1
      callers.set(caller, count)
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
