import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { type AbortOptions, CancelledError, type Clock, millis } from '../base/index.ts'

/** A program that is run without a terminal. */
export interface ToolCall extends AbortOptions {
  readonly command: string
  readonly args: readonly string[]
  /** Takes what it prints, to either of its outputs, in the order in which it comes; when this fails, the program is ended. */
  readonly onOutput: (text: string) => Promise<void> | void
}

/** Where a program is run. */
export interface ToolPlace {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
}

/** How long a program may take to end after it was told to. */
const GRACE = millis(2000)

/** How long the rest of its output is waited for after it has ended: a child of it may keep the line open. */
const DRAIN = millis(500)

/**
 * Runs a program with an argument list and no input, and resolves with its exit code, 128 and more when a signal ended it.
 *
 * Our own variables (`DMS_…`) are not handed to it. When the signal is aborted it is told to end, and after two seconds made to.
 *
 * @throws the operating system's error when it cannot be started; CancelledError; what `onOutput` throws.
 */
export async function runTool(call: ToolCall, { environment, clock }: ToolPlace): Promise<number> {
  const env = Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('DMS_')))
  const child = spawn(call.command, call.args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  const end = createEnd(child, clock)
  const reading = Promise.all([child.stdout, child.stderr].map((stream) => forward(stream, call.onOutput))).catch(end)
  const onAbort = (): void => end(new CancelledError(`${call.command} was cancelled`))
  call.signal?.addEventListener('abort', onAbort, { once: true })
  if (call.signal?.aborted === true) onAbort()
  try {
    const code = await ended(child)
    await within(DRAIN, reading, clock)
    end.throwReason()
    return code
  } finally {
    call.signal?.removeEventListener('abort', onAbort)
    child.stdout.destroy()
    child.stderr.destroy()
  }
}

interface End {
  /** Tells the program to end, for a reason that is thrown later. */
  (reason: unknown): void
  throwReason(): void
}

function createEnd(child: ChildProcess, clock: Clock): End {
  let reason: { readonly error: unknown } | undefined
  const end = (error: unknown): void => {
    reason ??= { error }
    if (!isRunning(child)) return
    child.kill('SIGTERM')
    const timer = new AbortController()
    child.once('exit', () => timer.abort())
    clock.sleep(GRACE, { signal: timer.signal }).then(
      () => child.kill('SIGKILL'),
      () => undefined // it has ended
    )
  }
  return Object.assign(end, {
    throwReason() {
      if (reason !== undefined) throw reason.error
    }
  })
}

function isRunning({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null
}

/** Waits for `work`, but not longer than that, and leaves no timer behind. */
async function within(limit: typeof DRAIN, work: Promise<unknown>, clock: Clock): Promise<void> {
  const timer = new AbortController()
  const expired = clock.sleep(limit, { signal: timer.signal }).catch(() => undefined) // the work ended first
  await Promise.race([work, expired])
  timer.abort()
}

async function forward(stream: AsyncIterable<Uint8Array>, onOutput: ToolCall['onOutput']): Promise<void> {
  const decoder = new TextDecoder()
  for await (const chunk of stream) await onOutput(decoder.decode(chunk, { stream: true }))
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  })
}
