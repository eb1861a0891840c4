import { type Clock, type LinkedSignal, linkSignals, type Millis, millis, setAlarm } from '../base/index.ts'

/** The time that one handler has. */
export interface HandlerTime {
  /**
   * Aborted when the message expires, when the actor ends and after `end`.
   *
   * Made when it is first looked at: most handlers have ended before anything could tell them to.
   */
  readonly signal: AbortSignal
  /** The handler ended, or nobody waits for it any more. */
  end(): void
}

/** What {@link createHandlerTime} needs. */
export interface HandlerTimeOptions {
  readonly clock: Clock
  /** When the message expires. */
  readonly expiresAt: Millis
  /** How long the handler may go on after that. */
  readonly overtime: Millis
  /** Aborted when the actor ends. */
  readonly lifetime: AbortSignal
  /** Called at most once, when the overtime is over too. */
  readonly onOverdue: () => void
}

/** Begins the time of a handler. */
export function createHandlerTime({ clock, expiresAt, overtime, lifetime, onOverdue }: HandlerTimeOptions): HandlerTime {
  let isOver = false
  let linked: LinkedSignal | undefined

  function cancel(): void {
    isOver = true
    linked?.end()
  }

  let endAlarm = setAlarm(clock, millis(Math.max(0, expiresAt - clock.now())), () => {
    cancel()
    endAlarm = setAlarm(clock, overtime, onOverdue)
  })

  return {
    get signal() {
      linked ??= linkSignals(lifetime)
      if (isOver) linked.end()
      return linked.signal
    },
    end() {
      endAlarm()
      cancel()
    }
  }
}
