import { nameOf } from './argv.ts'
import { type CommandSpec, type FlagSpec, flagsOf, HELP, visibleCommands } from './command.ts'

/** The help of the command at the end of a path. */
export function renderHelp(path: readonly CommandSpec[]): string {
  const command = path.at(-1)
  if (command === undefined) return ''
  const own = [...(command.flags ?? []), ...(command.persistentFlags ?? []), HELP]
  const inherited = flagsOf(path).filter((flag) => !own.includes(flag))
  const sections = [
    [command.summary, command.description].filter((text) => text !== undefined).join('\n\n'),
    `Usage:\n  ${usageOf(path)}`,
    section(
      'Examples',
      (command.examples ?? []).map((line) => [line, ''])
    ),
    section(command.kindOfCommands === undefined ? 'Commands' : `${capital(command.kindOfCommands)}s`, commandRows(command)),
    section('Flags', own.map(flagRow)),
    section('Global flags', inherited.map(flagRow)),
    command.commands === undefined
      ? ''
      : `"${nameOf(path)} <${command.kindOfCommands ?? 'command'}> --help" explains one of them.`
  ]
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`
}

/** How the command at the end of a path is called: `nunet key new <name> [flags]`. */
export function usageOf(path: readonly CommandSpec[]): string {
  const { args = [], optionalArgs = 0, commands, kindOfCommands = 'command' } = path.at(-1) ?? {}
  const shown = args.map((name, index) => (index < args.length - optionalArgs ? `<${name}>` : `[${name}]`))
  return [nameOf(path), ...(commands === undefined ? shown : [`<${kindOfCommands}>`]), '[flags]'].join(' ')
}

/** A flag as it is written: `-c, --context name`. */
export function flagUsage({ name, short, type, value }: FlagSpec): string {
  const word = value ?? (type === 'list' ? 'text' : type)
  return `${short === undefined ? '' : `-${short}, `}--${name}${type === 'switch' ? '' : ` ${word}`}`
}

/** What a flag is for, with its default and whether it can be left out or repeated. */
export function flagDoc({ type, doc, default: fallback, required }: FlagSpec): string {
  const notes = [
    ...(required === true ? ['required'] : []),
    ...(type === 'list' ? ['may be repeated'] : []),
    ...(fallback === undefined ? [] : [`default ${fallback}`])
  ]
  return notes.length === 0 ? doc : `${doc} (${notes.join('; ')})`
}

type Row = readonly [left: string, right: string]

function commandRows(command: CommandSpec): readonly Row[] {
  return visibleCommands(command).map(({ name, summary }) => [name, summary])
}

function flagRow(flag: FlagSpec): Row {
  return [`${flag.short === undefined ? '    ' : ''}${flagUsage(flag)}`, flagDoc(flag)]
}

function section(title: string, rows: readonly Row[]): string {
  if (rows.length === 0) return ''
  const width = Math.max(...rows.map(([left]) => left.length))
  return [`${title}:`, ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd())].join('\n')
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
