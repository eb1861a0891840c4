import type { AbortOptions, Clock } from '../base/index.ts'

/** A program to run. */
export interface ToolCall extends AbortOptions {
  /** An absolute path. */
  readonly command: string
  readonly args: readonly string[]
  /** Takes what the program prints, to either of its outputs, in the order in which it comes; an error of it ends the program. */
  readonly onOutput: (text: string) => Promise<void> | void
}

/** What wallets need of the process they run in. */
export interface WalletHost {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Where a private directory can be made. */
  readonly temporaryDirectory: string
  /** Tells the person something, on stderr. */
  tell(text: string): Promise<void>
  /** Writes what a program printed, on stderr. */
  show(text: string): Promise<void>
  /**
   * Runs a program without input and resolves with its exit code, 128 and more when a signal ended it. It is ended when the signal
   * is aborted. Rejects when it cannot be started.
   */
  runTool(call: ToolCall): Promise<number>
}

/** How a signature is asked for. */
export interface SignOptions extends AbortOptions {
  /** Called when all is ready and the owner is about to be asked. */
  readonly onAsk?: () => Promise<void>
}

/** A wallet behind one account: it shows what it signs and asks its owner. */
export interface Wallet {
  /** For messages: `account 0 of the Ledger`. */
  readonly title: string
  /** The key; not compared with anything. */
  publicKey(options?: AbortOptions): Promise<Uint8Array>
  /**
   * A signature in the form that tokens carry, not verified.
   *
   * @param expected - The key that is wanted: a wallet that can tell before it asks its owner refuses when it has another.
   */
  sign(message: Uint8Array, expected: Uint8Array, options?: SignOptions): Promise<Uint8Array>
}
