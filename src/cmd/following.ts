import { CancelledError, DmsError, describeIssues, millis, minutes, type Result, seconds } from '../base/index.ts'
import { BadReplyError, type Session } from '../client/index.ts'
import { deploymentLogs, deploymentStatus, type ValueOf } from '../protocol/index.ts'
import type { Io, Output } from './io.ts'
import { note, oneLine } from './output.ts'

/** A deployment, and how it is watched. */
export interface FollowOptions {
  readonly session: Session
  readonly id: string
  readonly io: Io
  /** Ends the watching. */
  readonly signal: AbortSignal
}

/** How a deployment has ended. */
export interface Ending {
  readonly status: 'Completed' | 'Failed'
  readonly error: string
  /** Where the whole output of each allocation lies. */
  readonly directories: readonly string[]
}

const POLL_INTERVAL = millis(400)
const ANSWER_TIME = seconds(20)
/** A daemon that restarts is back before that. */
const ABSENCE = minutes(2)
/** Bytes of output per message. */
const PAGE = 65_536

/**
 * Follows a deployment to its end: each event becomes a line on stderr, the output of its allocations goes to stdout and stderr as
 * it comes. With several allocations every line begins with the name of its own.
 *
 * @throws CancelledError when the signal ends it; the errors of the session when the node stays away for two minutes.
 */
export async function follow(options: FollowOptions): Promise<Ending> {
  const { io, signal } = options
  const printers = new Map<string, Printer>()
  let told = 0
  for (;;) {
    const status = await patiently(options, () => askStatus(options))
    const events = status.events ?? []
    for (const { text } of events.slice(told)) await note(io, `  ${text}`)
    told = events.length
    const isOver = status.status === 'Completed' || status.status === 'Failed'
    await printOutput(status, printers, options)
    if (isOver) return await endingOf(status, printers)
    await io.clock.sleep(POLL_INTERVAL, { signal })
  }
}

type Status = ValueOf<typeof deploymentStatus.reply>

async function askStatus({ session, id, signal }: FollowOptions): Promise<Status> {
  const reply = await session.invoke({ behavior: deploymentStatus.name, payload: { id }, timeout: ANSWER_TIME }, { signal })
  return understood(deploymentStatus.reply.decode(reply))
}

/** A node that restarts meanwhile is waited for. */
async function patiently<T>({ io, signal }: FollowOptions, ask: () => Promise<T>): Promise<T> {
  const start = io.clock.now()
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask()
    } catch (error) {
      const isAway = error instanceof DmsError && (error.kind === 'unavailable' || error.kind === 'timeout')
      if (signal.aborted || !isAway || io.clock.now() - start > ABSENCE) throw error
      if (attempt === 0) await note(io, '  the node does not answer: waiting for it, the deployment goes on')
      await io.clock.sleep(seconds(1), { signal })
    }
  }
}

async function printOutput(status: Status, printers: Map<string, Printer>, options: FollowOptions): Promise<void> {
  const names = Object.keys(status.allocations ?? {}).sort()
  for (const name of names) {
    if (status.allocations?.[name]?.status === 'pending') continue
    const printer = printers.get(name) ?? createPrinter(name, names.length > 1, options)
    printers.set(name, printer)
    try {
      await printer.print()
    } catch (error) {
      // a provider that is away delays its output only; what is missing at the end is told there
      if (options.signal.aborted || !(error instanceof DmsError)) throw error
      printer.complain(error.message)
    }
  }
}

async function endingOf({ status, error }: Status, printers: ReadonlyMap<string, Printer>): Promise<Ending> {
  for (const printer of printers.values()) await printer.finish()
  const directories = [...printers.values()].flatMap(({ directory }) => (directory() === '' ? [] : [directory()]))
  return { status: status === 'Completed' ? 'Completed' : 'Failed', error, directories }
}

interface Printer {
  /** Prints what is new. */
  print(): Promise<void>
  /** Remembers why it could not. */
  complain(message: string): void
  finish(): Promise<void>
  directory(): string
}

function createPrinter(allocation: string, isOneOfMany: boolean, { session, id, io, signal }: FollowOptions): Printer {
  const offsets = { stdout: 0, stderr: 0 }
  const prefix = isOneOfMany ? `${oneLine(allocation)} | ` : ''
  const writers = { stdout: createWriter(io.stdout, prefix), stderr: createWriter(io.stderr, prefix) }
  let [complaint, directory, isComplete] = ['', '', false]

  async function page(): Promise<boolean> {
    const payload = {
      EnsembleID: id,
      AllocationName: allocation,
      stdout_offset: offsets.stdout,
      stderr_offset: offsets.stderr,
      max_bytes: PAGE
    }
    const reply = await session.invoke({ behavior: deploymentLogs.name, payload, timeout: ANSWER_TIME }, { signal })
    const logs = understood(deploymentLogs.reply.decode(reply))
    complaint = logs.error
    directory = logs.logsWrittenTo
    isComplete = logs.complete === true
    await writers.stdout.write(logs.stdout ?? '')
    await writers.stderr.write(logs.stderr ?? '')
    const next = { stdout: logs.stdoutNext ?? offsets.stdout, stderr: logs.stderrNext ?? offsets.stderr }
    const hasGrown = next.stdout > offsets.stdout || next.stderr > offsets.stderr
    Object.assign(offsets, next)
    return hasGrown && !isComplete
  }

  return {
    async print() {
      if (isComplete) return
      while (await page());
    },
    complain(message) {
      complaint = message
    },
    async finish() {
      await writers.stdout.end()
      await writers.stderr.end()
      if (!isComplete)
        await note(io, `Warning: the output of ${allocation} is not complete${complaint === '' ? '' : `: ${complaint}`}`)
    },
    directory: () => directory
  }
}

interface Writer {
  write(text: string): Promise<void>
  /** Ends a line that has no end. */
  end(): Promise<void>
}

/** Output of a stranger's machine: on a terminal its control characters are shown, not obeyed; in a file or pipe it is as it is. */
function createWriter(output: Output, prefix: string): Writer {
  let isAtStart = true
  return {
    async write(text) {
      if (text === '') return
      const shown = output.screen === undefined ? text : text.split('\n').map(harmless).join('\n')
      const lines = shown.split('\n')
      const last = lines.pop() ?? ''
      const whole = lines.map((line, index) => `${index > 0 || isAtStart ? prefix : ''}${line}\n`).join('')
      const begun = last === '' ? '' : `${lines.length > 0 || isAtStart ? prefix : ''}${last}`
      isAtStart = last === ''
      await output.write(whole + begun)
    },
    async end() {
      if (isAtStart || output.screen === undefined) return
      isAtStart = true
      await output.write('\n')
    }
  }
}

function harmless(line: string): string {
  return line.split('\t').map(oneLine).join('\t')
}

function understood<T>(decoded: Result<T, Parameters<typeof describeIssues>[0]>): T {
  if (decoded.ok) return decoded.value
  throw new BadReplyError(`the reply of the node cannot be read: ${describeIssues(decoded.error)}`)
}

/** Runs `work` with a signal that Ctrl-C and SIGTERM abort. */
export async function untilStopped<T>(io: Io, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const forget = io.onStopSignal(() => stop.abort(new CancelledError('interrupted')))
  try {
    return await work(stop.signal)
  } finally {
    forget()
  }
}
