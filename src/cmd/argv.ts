import { nearest, parseGoDuration } from '../base/index.ts'
import { type CommandSpec, type FlagSpec, flagsOf, visibleCommands } from './command.ts'
import { splitCsv } from './csv.ts'
import { UsageError } from './errors.ts'

/** Which command a line means, and what is left of the line. */
export interface Resolution {
  /** From the program to the command. */
  readonly path: readonly CommandSpec[]
  /** Flags and arguments in their order. */
  readonly rest: readonly string[]
}

/** The flags and arguments of a line. */
export interface ParsedLine {
  /** By name; a flag that was repeated has several. */
  readonly values: ReadonlyMap<string, readonly string[]>
  readonly args: readonly string[]
}

/**
 * Finds the command of a line. Flags may stand anywhere, also before the command that owns them (D §1).
 *
 * @throws UsageError `unknown command "x" for "nunet"`, with the nearest name where there is one.
 */
export function resolveCommand(root: CommandSpec, argv: readonly string[]): Resolution {
  const path = [root]
  const rest: string[] = []
  for (let at = 0; at < argv.length; at += 1) {
    const token = argv[at] ?? ''
    const command = path.at(-1) ?? root
    if (token === '--') return { path, rest: [...rest, ...argv.slice(at)] }
    if (isFlag(token)) {
      rest.push(token)
      if (takesNext(path, token) && at + 1 < argv.length) {
        at += 1
        rest.push(argv[at] ?? '')
      }
      continue
    }
    const found = command.commands?.find(({ name }) => name === token)
    if (found?.takesRawLine === true) return { path: [...path, found], rest: [...rest, '--', ...argv.slice(at + 1)] }
    if (found !== undefined) path.push(found)
    else if (command.commands !== undefined) throw unknownCommand(path, token)
    else rest.push(token)
  }
  return { path, rest }
}

/**
 * Splits the rest of a line into flags and arguments by the rules of pflag: `--flag value`, `--flag=value`, `-f value`,
 * `-fvalue`, `-abf value`; the token after a flag with a value is always its value; nothing after `--` is a flag.
 *
 * @throws UsageError in cobra's words: clients search for some of them.
 */
export function parseLine(flags: readonly FlagSpec[], rest: readonly string[]): ParsedLine {
  const values = new Map<string, readonly string[]>()
  const args: string[] = []
  const queue = [...rest]
  const add = (flag: FlagSpec, value: string, shown: string): void => {
    const given = checkValue(flag, value, shown)
    values.set(flag.name, flag.type === 'list' ? [...(values.get(flag.name) ?? []), ...given] : given)
  }
  for (let token = queue.shift(); token !== undefined; token = queue.shift()) {
    if (token === '--') {
      args.push(...queue)
      break
    }
    if (!isFlag(token)) args.push(token)
    else if (token.startsWith('--')) parseLong(flags, token, queue, add)
    else parseShorts(flags, token, queue, add)
  }
  return { values, args }
}

type Add = (flag: FlagSpec, value: string, shown: string) => void

function parseLong(flags: readonly FlagSpec[], token: string, queue: string[], add: Add): void {
  const equals = token.indexOf('=')
  const name = token.slice(2, equals < 0 ? undefined : equals)
  if (name === '' || name.startsWith('-')) throw new UsageError(`bad flag syntax: ${token}`)
  const flag = flags.find((candidate) => candidate.name === name)
  if (flag === undefined) throw unknownFlag(flags, name)
  if (equals >= 0) add(flag, token.slice(equals + 1), `--${name}`)
  else if (flag.type === 'switch') add(flag, 'true', `--${name}`)
  else add(flag, next(queue, `flag needs an argument: --${name}`), `--${name}`)
}

function parseShorts(flags: readonly FlagSpec[], token: string, queue: string[], add: Add): void {
  for (let at = 1; at < token.length; at += 1) {
    const letter = token.charAt(at)
    const flag = flags.find(({ short }) => short === letter)
    if (flag === undefined) throw new UsageError(`unknown shorthand flag: '${letter}' in ${token}`)
    const shown = `-${letter}, --${flag.name}`
    const tail = token.slice(at + 1)
    const isSwitch = flag.type === 'switch' && !tail.startsWith('=')
    if (isSwitch) add(flag, 'true', shown)
    else if (tail === '') add(flag, next(queue, `flag needs an argument: '${letter}' in ${token}`), shown)
    else add(flag, tail.replace(/^=/, ''), shown)
    if (!isSwitch) return
  }
}

function next(queue: string[], complaint: string): string {
  const value = queue.shift()
  if (value === undefined) throw new UsageError(complaint)
  return value
}

/** What the text of a flag stands for; refused when it does not have the flag's type. */
function checkValue(flag: FlagSpec, value: string, shown: string): readonly string[] {
  const complaint = complaintAbout(flag, value)
  if (complaint === undefined) return flag.type === 'list' ? (splitCsv(value) ?? []) : [value]
  throw new UsageError(`invalid argument ${JSON.stringify(value)} for "${shown}" flag: ${complaint}`)
}

function complaintAbout({ type }: FlagSpec, value: string): string | undefined {
  switch (type) {
    case 'text':
      return undefined
    case 'switch':
      return /^(true|false)$/.test(value) ? undefined : 'must be true or false'
    case 'list':
      return splitCsv(value) === undefined ? 'a quote is not closed, or stands inside of a value' : undefined
    case 'integer':
      return /^-?\d{1,15}$/.test(value) ? undefined : 'must be a whole number'
    case 'number':
      return /^-?(\d{1,15}(\.\d*)?|\.\d+)$/.test(value) ? undefined : 'must be a number'
    case 'duration':
      return parseGoDuration(value).ok ? undefined : 'must be a duration like 90s, 5m or 1h30m'
  }
}

function isFlag(token: string): boolean {
  return token.startsWith('-') && token !== '-'
}

/** Whether the token after a flag belongs to it: by the commands so far, else by the commands that may still come. */
function takesNext(path: readonly CommandSpec[], token: string): boolean {
  const below = (path.at(-1)?.commands ?? []).flatMap(allFlags)
  const find = (matches: (flag: FlagSpec) => boolean): readonly FlagSpec[] => {
    const known = flagsOf(path).filter(matches)
    return known.length > 0 ? known : below.filter(matches)
  }
  const hasValue = (found: readonly FlagSpec[]): boolean => found.some(({ type }) => type !== 'switch')
  if (token.startsWith('--')) return !token.includes('=') && hasValue(find(({ name }) => name === token.slice(2)))
  for (let at = 1; at < token.length; at += 1) {
    const found = find(({ short }) => short === token.charAt(at))
    if (found.length === 0) return false
    if (hasValue(found)) return at === token.length - 1
  }
  return false
}

/** The flags of a command and of everything below it. */
export function allFlags(command: CommandSpec): readonly FlagSpec[] {
  return [...(command.flags ?? []), ...(command.persistentFlags ?? []), ...(command.commands ?? []).flatMap(allFlags)]
}

function unknownCommand(path: readonly CommandSpec[], token: string): UsageError {
  const group = path.at(-1)
  const near = nearest(
    token.slice(0, 100),
    visibleCommands(group).map(({ name }) => name)
  )
  const hint = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`
  const kind = group?.kindOfCommands ?? 'command'
  return new UsageError(`unknown ${kind} ${JSON.stringify(token.slice(0, 200))} for "${nameOf(path)}"${hint}`)
}

function unknownFlag(flags: readonly FlagSpec[], name: string): UsageError {
  const near = nearest(
    name.slice(0, 100),
    flags.map((flag) => flag.name)
  )
  return new UsageError(`unknown flag: --${name.slice(0, 200)}${near === undefined ? '' : `; did you mean --${near}?`}`)
}

/** The words that call the command at the end of a path. */
export function nameOf(path: readonly CommandSpec[]): string {
  return path.map(({ name }) => name).join(' ')
}
