import { join } from 'node:path'
import type { Config } from '../../config/index.ts'
import { readPrivateFile } from '../../db/index.ts'
import { type ContextSummary, summarizeContext } from '../../doctor/index.ts'
import type { Signer } from '../../identity/index.ts'
import type { ContextFile } from '../../ucan/index.ts'
import type { Flags } from '../command.ts'
import { contextsOf, openContextFile } from '../contexts.ts'
import { BadFileError } from '../errors.ts'
import type { Io } from '../io.ts'
import { note } from '../output.ts'
import { styled } from '../screen.ts'
import { type ContextSource, contextSourceOf } from '../signers.ts'
import { isWalletName } from '../wallet-names.ts'

/** How a step of the setup ended: something was done, it was done before, or it waits for somebody. */
export interface Outcome {
  readonly step: string
  readonly state: 'done' | 'already' | 'open'
  readonly text: string
  /** The command that does the same; tokens are placeholders. */
  readonly command?: string
}

/** One run of the setup: what its steps share. */
export interface SetupRun {
  readonly flags: Flags
  readonly io: Io
  readonly config: Config
  /** Name of the owner's key and context; `ledger:<name>` when the key is in a wallet. */
  readonly user: string
  /** Name of the daemon's. */
  readonly dms: string
  readonly outcomes: readonly Outcome[]
  /** Whether only changes are told, without the commands that do the same. */
  readonly isBrief: boolean
  /** Tells and remembers how a step ended. */
  report(outcome: Outcome): Promise<void>
  /** Remembers a key that was made or opened, so that its passphrase is asked for once. */
  remember(name: string, signer: Signer): void
  signer(name: string): Promise<Signer>
  /** The name of the file of a context. */
  fileOf(name: string): Promise<string>
  /** Opens a context to change it. */
  open(name: string): Promise<ContextFile>
  /** What a context holds, without its key. */
  summary(name: string): Promise<ContextSummary>
}

/** What a run begins with. */
export type SetupRunOptions = Pick<SetupRun, 'flags' | 'io' | 'config' | 'user'> & Partial<Pick<SetupRun, 'isBrief'>>

/** Begins a run. */
export function createRun(options: SetupRunOptions): SetupRun {
  const { flags, io, config, isBrief = false } = options
  const signers = new Map<string, Signer>()
  const sources = new Map<string, ContextSource>()
  const outcomes: Outcome[] = []

  async function signer(name: string): Promise<Signer> {
    const known = signers.get(name)
    if (known !== undefined) return known
    if (!isWalletName(name)) await note(io, `Opening the key ${name}`)
    const opened = await (await sourceOf(name)).openSigner()
    signers.set(name, opened)
    return opened
  }

  async function sourceOf(name: string): Promise<ContextSource> {
    const source = sources.get(name) ?? (await contextSourceOf(name, config, io))
    sources.set(name, source)
    return source
  }

  const fileOf = async (name: string): Promise<string> => (await sourceOf(name)).fileName

  return {
    flags,
    io,
    config,
    user: options.user,
    isBrief,
    dms: flags.text('context') ?? 'dms',
    outcomes,
    async report(outcome) {
      outcomes.push(outcome)
      await (isBrief ? tellBriefly(io, outcome) : tell(io, outcome))
    },
    remember: (name, known) => void signers.set(name, known),
    signer,
    fileOf,
    open: async (name) => await openContextFile(contextsOf(config, io), await fileOf(name), await signer(name), io),
    async summary(name) {
      const path = join(config.general.user_dir, 'cap', `${await fileOf(name)}.cap`)
      const summary = summarizeContext((await readPrivateFile(path)) ?? '')
      if (!summary.ok) throw new BadFileError(`${path} is no capability context: ${summary.error}`)
      return summary.value
    }
  }
}

/** Tells how a step ended, with the command that does the same. */
export async function tell(io: Io, { step, state, text, command }: Outcome): Promise<void> {
  const { screen } = io.stderr
  const marks = { done: ['✓', 'green'], already: ['-', 'dim'], open: ['!', 'yellow'] } as const
  const [mark, style] = marks[state]
  await io.stderr.write(`${styled(mark, style, screen)} `)
  await note(io, `${step}: ${text}`)
  if (command === undefined) return
  await note(io, state === 'open' ? `    ${command}` : `    you can also run: ${command}`)
}

/** Tells what was done or is open, and nothing of what was done before. */
export async function tellBriefly(io: Io, outcome: Outcome): Promise<void> {
  const { command: _, ...done } = outcome
  if (outcome.state !== 'already') await tell(io, outcome.state === 'done' ? done : outcome)
}
