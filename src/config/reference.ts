import { KEYS, type NamedKey, variableOf } from './keys.ts'
import { CONFIG_SCHEMA, DEPRECATED_KEYS } from './schema.ts'

/** The page `docs/reference/config.md`: every key with type, default and meaning, as Markdown. */
export function renderConfigReference(): string {
  const sections = Object.keys(CONFIG_SCHEMA).map((name) =>
    renderSection(
      name,
      KEYS.filter((key) => key.name.startsWith(`${name}.`))
    )
  )
  return `${[INTRODUCTION, ...sections, renderDeprecated()].join('\n\n')}\n`
}

const INTRODUCTION = `# Configuration

The file is \`dms_config.json\`, one JSON object; it need only hold what differs from the defaults. The first one found counts:
\`./\`, \`~/.nunet/\`, \`$XDG_CONFIG_HOME/nunet/\` (\`~/.config/nunet/\`), \`/etc/nunet/\`. With \`--config FILE\` only that file counts.
A value comes from its flag, else from its environment variable, else from the file, else from the table.

An unknown key or a wrong value is an error. \`~\` at the start of a path is the home directory; relative paths begin in the working
directory. In a variable or after \`nunet config set\`, a list is JSON or its items between commas, and an empty variable counts as not set.
Keys marked † are accepted, no effect yet.`

function renderSection(name: string, keys: readonly NamedKey[]): string {
  const head = ['| key | type | default | meaning |', '| --- | --- | --- | --- |']
  return [`## ${name}`, '', ...head, ...keys.map(renderKey)].join('\n')
}

function renderKey({ name, key }: NamedKey): string {
  const mark = key.effect === 'none' ? ' †' : ''
  const unit = key.unit === undefined ? '' : `, ${key.unit}`
  const note = key.effect === 'none' ? ' *Accepted, no effect yet.*' : ''
  const variable = key.effect === 'none' ? '' : ` \`${variableOf(name)}\`.`
  return `| \`${name}\`${mark} | ${key.type.name}${unit} | ${renderDefault(key.default)} | ${key.doc}${variable}${note} |`
}

function renderDefault(value: unknown): string {
  if (Array.isArray(value) && value.length > 0) return value.map((item: unknown) => renderDefault(item)).join('<br>')
  return `\`${JSON.stringify(value)}\``
}

function renderDeprecated(): string {
  const rows = Object.entries(DEPRECATED_KEYS).map(([old, current]) => `| \`${old}\` | \`${current}\` |`)
  return [
    '## Deprecated keys',
    '',
    'Still accepted, with a warning; the new key counts when both are there.',
    '',
    '| key | now |',
    '| --- | --- |',
    ...rows
  ].join('\n')
}
