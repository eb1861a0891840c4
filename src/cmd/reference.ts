import { type CommandSpec, flagsOf, visibleCommands } from './command.ts'
import { flagDoc, flagUsage, usageOf } from './help.ts'
import { ROOT } from './table.ts'

/** The reference page of the command line, Markdown. */
export function renderCommandReference(): string {
  const intro = [
    '# Command line',
    'Printed from the table of commands. Flags may stand anywhere on the line. Results go to stdout, everything else to stderr.',
    renderFlags('Flags of every command', flagsOf([ROOT]))
  ]
  return `${[...intro, ...renderCommands([ROOT])].join('\n\n')}\n`
}

function renderCommands(path: readonly CommandSpec[]): readonly string[] {
  return visibleCommands(path.at(-1)).flatMap((command) => {
    const below = [...path, command]
    if (command.commands !== undefined) return renderCommands(below)
    const own = flagsOf(below).filter((flag) => !flagsOf([ROOT]).includes(flag))
    return [
      `## \`${usageOf(below)}\``,
      command.summary,
      ...(command.description === undefined ? [] : [command.description]),
      ...(own.length === 0 ? [] : [renderFlags('Flags', own)]),
      ...(command.examples ?? []).map((example) => `    ${example}`)
    ]
  })
}

function renderFlags(title: string, flags: ReturnType<typeof flagsOf>): string {
  const rows = flags.map((flag) => `| \`${flagUsage(flag)}\` | ${flagDoc(flag).replaceAll('|', '\\|')} |`)
  return [`| ${title} | |`, '| --- | --- |', ...rows].join('\n')
}
