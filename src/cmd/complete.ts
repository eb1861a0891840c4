import { join } from 'node:path'
import { configKeys } from '../config/index.ts'
import { listFiles } from '../db/index.ts'
import { allFlags, parseLine, resolveCommand } from './argv.ts'
import { type CommandSpec, type FlagSpec, flagsOf, type ValueSource, visibleCommands } from './command.ts'
import { createFlags } from './flags.ts'
import { flagDoc } from './help.ts'
import type { Io } from './io.ts'
import { oneLine } from './output.ts'
import { loadSettings } from './settings.ts'

/** A word that fits, and what it means. */
export interface Candidate {
  readonly word: string
  readonly doc: string
}

/** What fits at the end of a line. */
export interface Completion {
  readonly candidates: readonly Candidate[]
  /** What the shell shall offer by itself. */
  readonly paths: 'none' | 'files' | 'directories'
}

const NOTHING: Completion = { candidates: [], paths: 'none' }

/**
 * What fits at the end of a line of which `words` are the words after the program; the last one is being written and may
 * be empty. Asks nobody and opens no key: names come from the files of the user directory.
 */
export async function completeLine(root: CommandSpec, words: readonly string[], io: Io): Promise<Completion> {
  const current = words.at(-1) ?? ''
  const isHelp = words.length > 1 && words[0] === 'help'
  const line = readLine(root, words.slice(isHelp ? 1 : 0, -1))
  if (line === undefined) return NOTHING
  const found = isHelp ? commandsOf(line) : await fitting(line, current, io)
  return { ...found, candidates: found.candidates.filter(({ word }) => word.startsWith(current) && isPlain(word)) }
}

/** The words before the one that is being written. */
interface Line {
  readonly path: readonly CommandSpec[]
  readonly rest: readonly string[]
  readonly args: readonly string[]
  readonly given: ReadonlySet<string>
  /** The flag whose value comes next. */
  readonly pending?: FlagSpec
  /** Whether `--` was among them. */
  readonly isPastFlags: boolean
}

function readLine(root: CommandSpec, before: readonly string[]): Line | undefined {
  try {
    const { path, rest } = resolveCommand(root, before)
    return path.at(-1)?.takesRawLine === true ? undefined : readRest(path, rest)
  } catch {
    return undefined // an unknown command: nothing fits below it
  }
}

function readRest(path: readonly CommandSpec[], rest: readonly string[]): Line {
  const flags = everyFlagOf(path)
  const args: string[] = []
  const given = new Set<string>()
  for (let at = 0; at < rest.length; at += 1) {
    const token = rest[at] ?? ''
    if (token === '--') return { path, rest, args: [...args, ...rest.slice(at + 1)], given, isPastFlags: true }
    const flag = flagOf(flags, token)
    if (flag === undefined) {
      if (!token.startsWith('-') || token === '-') args.push(token)
      continue
    }
    given.add(flag.name)
    if (!takesValue(flag, token)) continue
    if (at + 1 >= rest.length) return { path, rest: rest.slice(0, at), args, given, pending: flag, isPastFlags: false }
    at += 1
  }
  return { path, rest, args, given, isPastFlags: false }
}

/** Those of the commands below too: they may stand before the command. */
function everyFlagOf(path: readonly CommandSpec[]): readonly FlagSpec[] {
  return [...flagsOf(path), ...path.slice(-1).flatMap(allFlags)]
}

function flagOf(flags: readonly FlagSpec[], token: string): FlagSpec | undefined {
  if (token.startsWith('--')) return flags.find(({ name }) => name === token.slice(2).split('=')[0])
  return token.startsWith('-') ? flags.find(({ short }) => short === token.charAt(1)) : undefined
}

/** Whether the next word is the value of the flag. */
function takesValue({ type }: FlagSpec, token: string): boolean {
  if (type === 'switch') return false
  return token.startsWith('--') ? !token.includes('=') : token.length === 2
}

async function fitting(line: Line, current: string, io: Io): Promise<Completion> {
  if (line.pending !== undefined) return await valuesOf(sourceOfFlag(line.pending), line, io)
  if (!line.isPastFlags && current.startsWith('-')) return await flagsFor(line, current, io)
  if (line.path.at(-1)?.commands !== undefined) return commandsOf(line)
  return await argumentsFor(line, io)
}

async function flagsFor(line: Line, current: string, io: Io): Promise<Completion> {
  const flags = flagsOf(line.path)
  const equals = current.indexOf('=')
  if (equals < 0) {
    const free = flags.filter((flag) => flag.type === 'list' || !line.given.has(flag.name))
    return { candidates: free.map((flag) => ({ word: `--${flag.name}`, doc: flagDoc(flag) })), paths: 'none' }
  }
  const flag = flagOf(flags, current)
  if (flag === undefined) return NOTHING
  const { candidates, paths } = await valuesOf(sourceOfFlag(flag), line, io)
  const head = current.slice(0, equals + 1)
  return { candidates: candidates.map(({ word, doc }) => ({ word: head + word, doc })), paths }
}

function commandsOf({ path }: Line): Completion {
  const commands = visibleCommands(path.at(-1)).map(({ name, summary }) => ({ word: name, doc: summary }))
  const help = path.length === 1 ? [{ word: 'help', doc: 'Explains a command.' }] : []
  return { candidates: [...commands, ...help], paths: 'none' }
}

async function argumentsFor(line: Line, io: Io): Promise<Completion> {
  const { args = [], argValues = [] } = line.path.at(-1) ?? {}
  const at = line.args.length
  return await valuesOf(argValues[at] ?? (args[at] === 'file' ? 'file' : []), line, io)
}

function sourceOfFlag({ type, value, values }: FlagSpec): ValueSource {
  if (values !== undefined) return values
  if (type === 'switch') return ['true', 'false']
  return value === 'path' || value === 'file' ? 'file' : []
}

async function valuesOf(source: ValueSource, line: Line, io: Io): Promise<Completion> {
  switch (source) {
    case 'file':
      return { candidates: [], paths: 'files' }
    case 'directory':
      return { candidates: [], paths: 'directories' }
    case 'key':
      return wordsOf(await namesIn('key', '.json', line, io), 'key')
    case 'context':
      return wordsOf(await namesIn('cap', '.cap', line, io), 'capability context')
    case 'config-key':
      return { candidates: currentKeys().map(({ name, doc }) => ({ word: name, doc })), paths: 'none' }
    case 'config-value':
      return wordsOf(currentKeys().find(({ name }) => name === line.args[0])?.words ?? [], '')
    default:
      return wordsOf(source, '')
  }
}

function wordsOf(words: readonly string[], doc: string): Completion {
  return { candidates: words.map((word) => ({ word, doc })), paths: 'none' }
}

function currentKeys(): ReturnType<typeof configKeys> {
  return configKeys().filter(({ successor }) => successor === undefined)
}

/** A configuration or a directory that cannot be read has no names: this is no place to complain. */
async function namesIn(directory: string, extension: string, { path, rest }: Line, io: Io): Promise<readonly string[]> {
  try {
    const specs = everyFlagOf(path)
    const { config } = await loadSettings(createFlags(specs, parseLine(specs, rest).values), io)
    return await listFiles(join(config.general.user_dir, directory), extension)
  } catch {
    return []
  }
}

/** Names of files may hold anything, but a shell that gets a space or a quote would have to be told. */
function isPlain(word: string): boolean {
  return /^[^\s\p{Cc}'"`$\\;&|<>(){}*?[\]!#~]+$/u.test(word)
}

/** The answer to a shell: a word, TAB and its meaning a line, and at the end a colon and what else to offer. */
export function renderCompletion({ candidates, paths }: Completion): string {
  return [...candidates.map(({ word, doc }) => `${word}\t${oneLine(doc)}`), `:${paths}`, ''].join('\n')
}
