import { fromNanos, invariant, parseGoDuration } from '../base/index.ts'
import type { ParsedLine } from './argv.ts'
import type { CommandSpec, FlagRules, FlagSpec, Flags } from './command.ts'
import { UsageError } from './errors.ts'
import type { PassphraseFlags } from './io.ts'

/** Gives a command its flags with their defaults. */
export function createFlags(specs: readonly FlagSpec[], values: ParsedLine['values']): Flags {
  function given(name: string): readonly string[] {
    const spec = specs.find((candidate) => candidate.name === name)
    invariant(spec !== undefined, `the command has no flag --${name}`)
    return values.get(name) ?? (spec.default === undefined ? [] : [spec.default])
  }
  const text = (name: string): string | undefined => given(name).at(-1)
  return {
    isSet: (name) => values.has(name),
    text,
    list: given,
    isOn: (name) => text(name) === 'true',
    number(name) {
      const value = text(name)
      return value === undefined ? undefined : Number(value)
    },
    duration(name) {
      const value = text(name)
      if (value === undefined) return undefined
      const nanos = parseGoDuration(value)
      invariant(nanos.ok, `--${name} was not checked`)
      return fromNanos(nanos.value)
    }
  }
}

/**
 * Where flags say that a passphrase is: `--passphrase-fd`, `--passphrase-file`, or the same with another beginning.
 *
 * @throws UsageError when both are given, or the descriptor is no descriptor.
 */
export function passphraseFlagsOf(flags: Flags, prefix: 'passphrase' | 'new-passphrase'): PassphraseFlags {
  const descriptor = flags.number(`${prefix}-fd`)
  const file = flags.text(`${prefix}-file`)
  if (descriptor !== undefined && file !== undefined)
    throw new UsageError(`--${prefix}-fd and --${prefix}-file exclude each other`)
  if (descriptor !== undefined && descriptor < 0) throw new UsageError(`--${prefix}-fd must not be negative`)
  return { ...(descriptor === undefined ? {} : { descriptor }), ...(file === undefined ? {} : { file }) }
}

/**
 * Checks the number of arguments, then required flags and groups of flags, in cobra's order and words (A §12).
 *
 * @throws UsageError
 */
export function checkLine(command: CommandSpec, name: string, specs: readonly FlagSpec[], { values, args }: ParsedLine): void {
  checkArguments(command, name, args)
  const missing = specs.filter((flag) => flag.required === true && !values.has(flag.name))
  if (missing.length > 0) throw new UsageError(`required flag(s) ${missing.map((flag) => `"${flag.name}"`).join(', ')} not set`)
  checkRules(command.rules ?? {}, (flag) => values.has(flag))
}

function checkArguments(command: CommandSpec, name: string, given: readonly string[]): void {
  if (command.takesRawLine === true) return
  const { args: names = [], optionalArgs = 0 } = command
  const [most, least] = [names.length, names.length - optionalArgs]
  if (most === 0 && given.length > 0) throw new UsageError(`unknown command ${JSON.stringify(given[0])} for "${name}"`)
  if (most === least && given.length !== most) throw new UsageError(`accepts ${most} arg(s), received ${given.length}`)
  if (given.length > most) throw new UsageError(`accepts at most ${most} arg(s), received ${given.length}`)
  if (given.length < least) throw new UsageError(`requires at least ${least} arg(s), only received ${given.length}`)
}

function checkRules({ exclusive = [], oneRequired = [], together = [] }: FlagRules, isSet: (flag: string) => boolean): void {
  for (const group of together) {
    const missing = group.filter((flag) => !isSet(flag))
    if (missing.length > 0 && missing.length < group.length) {
      throw new UsageError(
        `if any flags in the group [${group.join(' ')}] are set they must all be set; missing [${missing.join(' ')}]`
      )
    }
  }
  for (const group of oneRequired) {
    if (!group.some(isSet)) throw new UsageError(`at least one of the flags in the group [${group.join(' ')}] is required`)
  }
  for (const group of exclusive) {
    const set = group.filter(isSet)
    if (set.length > 1) {
      throw new UsageError(
        `if any flags in the group [${group.join(' ')}] are set none of the others can be; [${set.join(' ')}] were all set`
      )
    }
  }
}
