import { nameOf, parseLine, resolveCommand } from './argv.ts'
import { type CommandSpec, type Flags, flagsOf } from './command.ts'
import { reportError } from './exit.ts'
import { checkLine, createFlags, passphraseFlagsOf } from './flags.ts'
import { renderHelp } from './help.ts'
import type { Io } from './io.ts'
import { ROOT } from './table.ts'

/**
 * Runs one command line, without the program's name.
 *
 * Never throws: what fails is told on stderr in one line.
 *
 * @returns The exit code: 0, or that of the error's kind (`EXIT_CODES`).
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    await runLine(argv, io)
    return 0
  } catch (error) {
    return await reportError(error, io, argv.includes('--debug'))
  }
}

async function runLine(argv: readonly string[], io: Io): Promise<void> {
  const { path, rest } = resolveCommand(ROOT, withoutHelpCommand(argv))
  const command = path.at(-1) ?? ROOT
  const specs = flagsOf(path)
  const line = parseLine(specs, rest)
  if (command === ROOT && line.values.get('version')?.at(-1) === 'true') return await runLine(['version'], io)
  const isHelp = command.load === undefined || argv[0] === 'help' || line.values.get('help')?.at(-1) === 'true'
  if (isHelp) return await io.stdout.write(renderHelp(path))
  checkLine(command, nameOf(path), specs, line)
  const run = await loadAction(command)
  const flags = createFlags(specs, line.values)
  await run({ root: ROOT, path: path.map(({ name }) => name), args: line.args, flags }, withPassphraseFlags(io, flags))
}

/** So that commands need not carry these flags to wherever a passphrase is needed. */
function withPassphraseFlags(io: Io, flags: Flags): Io {
  if (!flags.isSet('passphrase-fd') && !flags.isSet('passphrase-file')) return io
  return { ...io, passphraseFlags: passphraseFlagsOf(flags, 'passphrase') }
}

/** `nunet help key new` asks what `nunet key new --help` asks. */
function withoutHelpCommand(argv: readonly string[]): readonly string[] {
  return argv[0] === 'help' ? argv.slice(1) : argv
}

async function loadAction({ load }: CommandSpec): Promise<Awaited<ReturnType<NonNullable<CommandSpec['load']>>>> {
  if (load === undefined) return async () => undefined
  return await load()
}
