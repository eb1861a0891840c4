import { EXIT_CODES, type Millis, millis, seconds } from '../base/index.ts'
import type { Io } from './io.ts'
import { oneLine } from './output.ts'
import { cutTo, styled } from './screen.ts'

/** What is shown while something is waited for. */
export interface Task {
  /** What is being done, without its end: `opening key dms`. */
  readonly text: string
  /** How long it may take at most; then the time that is left is shown too. */
  readonly limit?: Millis
}

/** Nobody is told about what takes less. */
const PATIENCE = seconds(1)
/** In a file or pipe, one line is written after this time. */
const PATIENCE_WITHOUT_SCREEN = seconds(5)
const FRAME = millis(200)
const FRAMES: readonly string[] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
/** Clears the line of the cursor. */
export const ERASE = '\r\u001b[2K'

/**
 * Does `work` and shows on stderr that it goes on, when it takes longer than a second.
 *
 * On a terminal one line with the time that has passed, erased at the end; elsewhere one line after five seconds; never anything
 * on stdout. A stderr that cannot be written to does not disturb the work.
 */
export async function withProgress<T>(io: Io, task: Task, work: (pause: Pause) => Promise<T>): Promise<T> {
  let display = showUntilEnded(io, task)
  try {
    return await work(async (ask) => {
      await display.end()
      try {
        return await ask()
      } finally {
        display = showUntilEnded(io, task)
      }
    })
  } finally {
    await display.end()
  }
}

/** Does something, such as asking a question, while the progress is not shown. */
export type Pause = <T>(ask: () => Promise<T>) => Promise<T>

function showUntilEnded(io: Io, task: Task): { end(): Promise<void> } {
  const done = new AbortController()
  const shown = show(io, task, done.signal).catch(() => undefined) // nobody to show it to
  return {
    async end() {
      done.abort()
      await shown
    }
  }
}

async function show(io: Io, task: Task, signal: AbortSignal): Promise<void> {
  const { clock, stderr } = io
  const start = clock.now()
  const canRedraw = stderr.screen?.canRedraw === true
  if (!(await passes(io, canRedraw ? PATIENCE : PATIENCE_WITHOUT_SCREEN, signal))) return
  if (!canRedraw) return await stderr.write(`${oneLine(task.text)}…\n`)
  // whoever ends the command gets a clean line, too
  const forget = io.onStopSignal(() => {
    void stderr.write(ERASE).then(() => io.exit(EXIT_CODES.cancelled))
  })
  try {
    for (let frame = 0; ; frame += 1) {
      await stderr.write(ERASE + renderFrame(io, task, millis(clock.now() - start), frame))
      if (!(await passes(io, FRAME, signal))) return
    }
  } finally {
    forget()
    await stderr.write(ERASE)
  }
}

/** Whether the time passed before the end of the work. */
async function passes({ clock }: Io, duration: Millis, signal: AbortSignal): Promise<boolean> {
  return await clock.sleep(duration, { signal }).then(
    () => !signal.aborted,
    () => false
  )
}

function renderFrame({ stderr }: Io, { text, limit }: Task, passed: Millis, frame: number): string {
  const screen = stderr.screen
  const left = limit === undefined ? '' : `, at most ${inSeconds(millis(Math.max(0, limit - passed)))} more`
  const time = `${inSeconds(passed)}${left}`
  const width = (screen?.columns ?? 80) - 1
  const shown = cutTo(`${oneLine(text)}…`, width - time.length - 3)
  return `${FRAMES[frame % FRAMES.length] ?? ''} ${shown} ${styled(time, 'dim', screen)}`
}

function inSeconds(duration: Millis): string {
  const whole = Math.round(duration / 1000)
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}
