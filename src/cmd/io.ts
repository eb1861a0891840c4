import type { Clock, Random, Secret } from '../base/index.ts'
import type { ScryptCost } from '../identity/index.ts'

/** Where text goes. */
export interface Output {
  /** Resolves once the text was handed over; a reader that is gone is no error. */
  write(text: string): Promise<void>
}

/** How a person is asked; only used when there is a terminal. */
export interface Terminal {
  /** Asks on stderr and returns the line. Errors: `BASE_CANCELLED` at Ctrl-C or the end of the input. */
  ask(question: string): Promise<string>
  /** The same without showing what is typed. */
  askHidden(question: string): Promise<string>
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
  readonly cwd: string
  readonly home: string
  /** Nothing when there is no terminal: then nobody is asked anything. */
  readonly terminal?: Terminal | undefined
  readonly clock: Clock
  readonly random: Random
  /** Cost of new key files; the standard one when missing. */
  readonly keyCost?: ScryptCost
  /** Calls back at SIGINT and SIGTERM until the returned function is called. */
  onStopSignal(listener: () => void): () => void
  /** Ends the process at once. */
  exit(code: number): void
  /** Runs a program on the terminal of this process and resolves with its exit code. */
  runProgram(command: string, args: readonly string[]): Promise<number>
}

/** Longest text that is read from stdin, in bytes: an envelope fits. */
export const MAX_INPUT = 4 * 2 ** 20
