import type { Millis } from '../base/index.ts'
import type { Io } from './io.ts'

/** How the text of a flag is read; `list` repeats and splits at commas. */
export type FlagType = 'text' | 'switch' | 'list' | 'integer' | 'number' | 'duration'

/** What a shell offers for a value: names of this machine's things, or some words. */
export type ValueSource = 'key' | 'context' | 'config-key' | 'config-value' | 'file' | 'directory' | readonly string[]

/** One flag of a command. */
export interface FlagSpec {
  /** Without the dashes. */
  readonly name: string
  /** One letter. */
  readonly short?: string
  readonly type: FlagType
  /** The word for its value in the help; the type when missing. */
  readonly value?: string
  readonly doc: string
  /** The value when the flag is not given, as it would be written. */
  readonly default?: string
  readonly required?: boolean
  /** What a shell offers for its value; files for a `path` when missing. */
  readonly values?: ValueSource
}

/** What must hold between flags; the names are those of {@link FlagSpec}. */
export interface FlagRules {
  /** At most one of each group. */
  readonly exclusive?: readonly (readonly string[])[]
  /** At least one of each group. */
  readonly oneRequired?: readonly (readonly string[])[]
  /** All of a group or none. */
  readonly together?: readonly (readonly string[])[]
}

/** The flags that were given, by name; asking for a flag that the command does not have is a bug. */
export interface Flags {
  isSet(name: string): boolean
  /** The text, or the default of the flag. */
  text(name: string): string | undefined
  list(name: string): readonly string[]
  isOn(name: string): boolean
  /** Of a flag of type `integer` or `number`. */
  number(name: string): number | undefined
  duration(name: string): Millis | undefined
}

/** One call of a command. */
export interface Invocation {
  /** The whole command line, for commands that speak about it. */
  readonly root: CommandSpec
  /** Names from the program to the command: `['nunet', 'key', 'new']`. */
  readonly path: readonly string[]
  readonly args: readonly string[]
  readonly flags: Flags
}

/** Carries a command out; what fails is thrown. */
export type Action = (invocation: Invocation, io: Io) => Promise<void>

/** A command or a group of commands. */
export interface CommandSpec {
  readonly name: string
  /** One line, for the list of commands. */
  readonly summary: string
  /** What else there is to know. */
  readonly description?: string
  /** Names of the positional arguments, in order. */
  readonly args?: readonly string[]
  /** How many of them may be left out, from the end. */
  readonly optionalArgs?: number
  /** What a shell offers for them, in order; files for one called `file` when missing. */
  readonly argValues?: readonly ValueSource[]
  readonly flags?: readonly FlagSpec[]
  /** Flags that the commands below have too. */
  readonly persistentFlags?: readonly FlagSpec[]
  readonly rules?: FlagRules
  /** Whole lines as one would type them; `<word>` stands for something to put there. */
  readonly examples?: readonly string[]
  /** Left out of help, references, manual pages and completion. */
  readonly isHidden?: true
  /** Everything after its name is an argument, also what looks like a flag. */
  readonly takesRawLine?: true
  readonly commands?: readonly CommandSpec[]
  /** What a member of {@link CommandSpec.commands} is called in messages; `command` when missing. */
  readonly kindOfCommands?: string
  /** Loads the code of the command; missing in groups, which print their help. */
  readonly load?: () => Promise<Action>
}

/** All flags that a command at the end of a path takes: its own, those of the groups above it, and `--help`. */
export function flagsOf(path: readonly CommandSpec[]): readonly FlagSpec[] {
  return [...(path.at(-1)?.flags ?? []), ...path.toReversed().flatMap(({ persistentFlags = [] }) => persistentFlags), HELP]
}

/** The flag that every command has. */
export const HELP: FlagSpec = { name: 'help', short: 'h', type: 'switch', doc: 'Explains the command.' }

/** The commands of a group that people are shown. */
export function visibleCommands(group: CommandSpec | undefined): readonly CommandSpec[] {
  return (group?.commands ?? []).filter(({ isHidden }) => isHidden !== true)
}
