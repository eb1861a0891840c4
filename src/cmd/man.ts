import { configKeys } from '../config/index.ts'
import { buildInfo } from './build-info.ts'
import { type CommandSpec, flagsOf, HELP, visibleCommands } from './command.ts'
import { flagDoc, flagUsage, usageOf } from './help.ts'
import { ENVIRONMENT, EXIT_STATUS, FILES } from './man-texts.ts'
import { type Entry, entries, example, paragraphs, section, subsection, synopsis, title } from './roff.ts'

/** The name of the configuration's page. */
const CONFIG_PAGE = 'dms_config.json'

/**
 * The manual pages by the names of their files: `nunet.1`, one of section 1 for each group of commands, and
 * `dms_config.json.5`. The same build gives the same bytes.
 */
export function renderManPages(root: CommandSpec): Readonly<Record<string, string>> {
  const groups = visibleCommands(root).filter(({ commands }) => commands !== undefined)
  return {
    'nunet.1': renderRoot(root, groups),
    ...Object.fromEntries(groups.map((group) => [`${pageOf(group)}.1`, renderGroup(root, group)])),
    [`${CONFIG_PAGE}.5`]: renderConfig()
  }
}

function renderRoot(root: CommandSpec, groups: readonly CommandSpec[]): string {
  const single = visibleCommands(root).filter(({ commands }) => commands === undefined)
  return [
    titleOf('nunet', 1, 'NuNet commands'),
    section('Name', `nunet \\- ${root.summary.replace(/^[^:]*: /, '').replace(/\.$/, '')}\n`),
    section('Synopsis', synopsis('nunet [flags] <command> [<command>] [arguments]')),
    section('Description', paragraphs(root.summary, root.description ?? '', 'Each group of commands has a page of its own.')),
    section(
      'Groups of commands',
      entries(groups.map((group) => [`nunet ${group.name}`, `${group.summary} See ${pageOf(group)}(1).`]))
    ),
    section('Commands', ...single.map((command) => renderCommand([root, command]))),
    section(
      'Flags of every command',
      entries(flagEntries([...(root.flags ?? []), ...flagsOf([root]).filter((flag) => !root.flags?.includes(flag))]))
    ),
    section('Examples', example(root.examples ?? [])),
    section('Exit status', entries(EXIT_STATUS)),
    section('Environment', entries(ENVIRONMENT)),
    section('Files', entries(FILES)),
    seeAlso([...groups.map((group) => `${pageOf(group)}(1)`), `${CONFIG_PAGE}(5)`])
  ].join('')
}

function renderGroup(root: CommandSpec, group: CommandSpec): string {
  const path = [root, group]
  const shared = group.persistentFlags ?? []
  return [
    titleOf(pageOf(group), 1, 'NuNet commands'),
    section('Name', `${pageOf(group)} \\- ${group.summary.replace(/\.$/, '')}\n`),
    section('Synopsis', synopsis(usageOf(path))),
    section('Description', paragraphs(group.summary, group.description ?? '')),
    section('Commands', ...leavesOf(path).map(renderCommand)),
    section('Flags of all of them', entries(flagEntries(shared)), paragraphs('The flags of every command are in nunet(1).')),
    section('Exit status', paragraphs('As in nunet(1).')),
    seeAlso(['nunet(1)', `${CONFIG_PAGE}(5)`])
  ].join('')
}

/** One command in full; flags of the pages around it are left out. */
function renderCommand(path: readonly CommandSpec[]): string {
  const { summary = '', description = '', examples = [] }: Partial<CommandSpec> = path.at(-1) ?? {}
  const elsewhere = [...path.slice(0, 2).flatMap(({ persistentFlags = [] }) => persistentFlags), HELP]
  const own = flagsOf(path).filter((flag) => !elsewhere.includes(flag))
  return subsection(usageOf(path), paragraphs(summary, description), entries(flagEntries(own)), example(examples))
}

/** The commands at the ends of the branches. */
function leavesOf(path: readonly CommandSpec[]): readonly (readonly CommandSpec[])[] {
  const below = visibleCommands(path.at(-1))
  return below.length === 0 ? [path] : below.flatMap((command) => leavesOf([...path, command]))
}

function renderConfig(): string {
  const keys = configKeys()
  const current = keys.filter(({ successor }) => successor === undefined)
  const deprecated = keys.flatMap(({ name, successor }): readonly Entry[] =>
    successor === undefined ? [] : [[name, `Now \`${successor}\`.`]]
  )
  return [
    titleOf(CONFIG_PAGE, 5, 'NuNet files'),
    section('Name', `${CONFIG_PAGE} \\- configuration of the NuNet Device Management Service\n`),
    section(
      'Description',
      paragraphs(
        'One JSON object that need only hold what differs from the defaults. The first file found counts: `./`, `~/.nunet/`, `$XDG_CONFIG_HOME/nunet/` (`~/.config/nunet/`), `/etc/nunet/`; with `--config` only that one.',
        'A value comes from its flag, else from its environment variable, else from the file, else from the default. An unknown key or a wrong value is an error. `~` at the start of a path is the home directory; relative paths begin in the working directory.',
        'nunet-config(1) shows and changes the file.'
      )
    ),
    section('Keys', ...current.map(renderKey)),
    section(
      'Deprecated keys',
      paragraphs(
        'Still accepted, with a warning; the new key counts when both are there. The daemon and commands that write the file replace them and keep the old file as `<file>.bk.<seconds>`.'
      ),
      entries(deprecated)
    ),
    section(
      'Examples',
      example(['{', '  "rest": { "port": 10000 },', '  "observability": { "logging": { "level": "DEBUG" } }', '}'])
    ),
    seeAlso(['nunet(1)', 'nunet-config(1)'])
  ].join('')
}

function renderKey({ name, type, default: fallback, doc, variable, hasEffect }: ReturnType<typeof configKeys>[number]): string {
  const note = hasEffect ? '' : ' Accepted, no effect yet.'
  return entries([
    [name, `${doc} Type: ${type.replaceAll('`', '')}. Default: ${JSON.stringify(fallback)}. Variable: \`${variable}\`.${note}`]
  ])
}

function flagEntries(flags: ReturnType<typeof flagsOf>): readonly Entry[] {
  return flags.map((flag) => [flagUsage(flag), flagDoc(flag)])
}

function seeAlso(pages: readonly string[]): string {
  return section('See also', paragraphs(pages.join(', ')))
}

function titleOf(name: string, number: number, manual: string): string {
  const { version, date } = buildInfo()
  return title({ name, section: number, source: `nunet ${version}`, date: /^\d{4}-\d\d-\d\d/.exec(date)?.[0] ?? '', manual })
}

function pageOf({ name }: CommandSpec): string {
  return `nunet-${name}`
}
