import type { Clock, Random, Secret } from '../base/index.ts'
import type { ScryptCost } from '../identity/index.ts'
import type { Screen } from './screen.ts'
import type { ToolCall } from './tool.ts'

/** Where text goes. */
export interface Output {
  /** Resolves once the text was handed over; a reader that is gone is no error. */
  write(text: string): Promise<void>
  /** Whether a reader is known to be gone, so that nothing more need be written; looked at by what goes on by itself. */
  readonly isGone?: boolean
  /** The terminal that it leads to; nothing for a file or a pipe, which get plain text. */
  readonly screen?: Screen | undefined
}

/** How a person is asked; only used when there is a terminal. */
export interface Terminal {
  /** Asks on stderr and returns the line. Errors: `BASE_CANCELLED` at Ctrl-C or the end of the input. */
  ask(question: string): Promise<string>
  /** The same without showing what is typed. */
  askHidden(question: string): Promise<string>
}

/** Where a passphrase is read from; at most one is given. */
export interface PassphraseFlags {
  /** An open file descriptor. */
  readonly descriptor?: number
  /** The path of a file. */
  readonly file?: string
}

/** What a process that is started apart from this one gets besides its arguments. */
export interface DetachedOptions {
  /** The whole of its stdin; none when missing. */
  readonly input?: Secret
  /** A file for its stderr, made anew with mode 0600; for processes that live long. A pipe when missing. */
  readonly stderrPath?: string
  /** Whether it gets the settings of the environment too (`DMS_…`, `BOOTSTRAP_PEERS`, `DOCKER_HOST`), passphrases excepted. */
  readonly hasSettings?: boolean
}

/** Everything that a command may touch of its process, so that a test can run one without a process. */
export interface Io {
  /** Results, for people and programs. */
  readonly stdout: Output
  /** Notes, warnings, questions and errors. */
  readonly stderr: Output
  /** The whole of stdin as text, at most {@link MAX_INPUT} bytes. Errors: `CMD_INPUT_TOO_LONG`. */
  readInput(): Promise<string>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** `DMS_PASSPHRASE`, which is no longer in the environment. */
  readonly passphrase?: Secret
  /** `DMS_NEW_PASSPHRASE`, which is no longer in the environment. */
  readonly newPassphrase?: Secret
  /** What the flags say about where the passphrase comes from. */
  readonly passphraseFlags?: PassphraseFlags
  readonly cwd: string
  readonly home: string
  /** Nothing when there is no terminal: then nobody is asked anything. */
  readonly terminal?: Terminal | undefined
  readonly clock: Clock
  readonly random: Random
  /** Cost of new key files; the standard one when missing. */
  readonly keyCost?: ScryptCost
  /** Calls back at SIGINT and SIGTERM, on a terminal also at SIGHUP, until the returned function is called. */
  onStopSignal(listener: () => void): () => void
  /**
   * Calls back with the name of the signal at SIGUSR1, without a terminal also at SIGHUP, until the returned function is called; from then on the signals
   * are without effect. Without a listener Node would open its debugger at SIGUSR1, with which the reference's `cap anchor` asks
   * for a reload (A §12.3).
   */
  onReloadSignal(listener: (signal: string) => void): () => void
  /** Ends the process at once. */
  exit(code: number): void
  /**
   * Starts this program once more, apart from this terminal and with next to nothing of this environment, and resolves once it has
   * written a line to its stdout. Errors: `CMD_NOT_STARTED`, with what it wrote to its stderr when it ended before that.
   */
  startDetached(args: readonly string[], options?: DetachedOptions): Promise<void>
  /** Shields a process that holds secrets: private files, no debugger by signal, indifferent to the end of the terminal. */
  shieldProcess(): void
  /** Runs a program on the terminal of this process and resolves with its exit code. */
  runProgram(command: string, args: readonly string[]): Promise<number>
  /** Runs a program without a terminal; see `runTool` of tool.ts. */
  runTool(call: ToolCall): Promise<number>
}

/** Longest text that is read from stdin, in bytes: an envelope fits. */
export const MAX_INPUT = 4 * 2 ** 20
